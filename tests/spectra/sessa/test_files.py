"""SESSA's files: those it wrote are read, what is written is read back, what is damaged is refused with its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.errors import UsageError
from xpshpc.spectra.sessa.output_files import (
    Peak,
    PeakTransport,
    read_parameters,
    read_peaks,
    write_parameters,
    write_peaks,
)
from xpshpc.spectra.sessa.spectrum_files import RegionSpectrum, read_dat, read_spc, region_axis, write_dat, write_spc

REFERENCE = Path(__file__).parents[4] / "shared" / "data" / "xps" / "sessa_reference"
REGION = (400.0, 1486.0)
PEAKS = (
    Peak(1, "Si", "SiO2", "2p1/2", 1382.6, "XPS"),
    Peak(2, "Si", "", "2p3/2", 1387.5, "XPS"),
    Peak(3, "O", "film", "KLL", 508.6, "AES"),
)


@pytest.fixture(scope="module")
def spectrum() -> RegionSpectrum:
    axis = region_axis(*REGION)
    return RegionSpectrum(axis, 1e-6 * np.exp(-(((axis - 900.0) / 30.0) ** 2)))


@pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"no spectra of SESSA in {REFERENCE}")
@pytest.mark.parametrize("name", [path.name for path in sorted(REFERENCE.glob("*.dat"))])
def test_spectra_of_the_real_program_are_read_and_written_byte_for_byte(tmp_path: Path, name: str) -> None:
    real = (REFERENCE / name).read_bytes()
    found = read_dat(REFERENCE / name)
    low, high = (1380.0, 1392.0) if name.startswith("Si") else (1278.0, 1288.0)
    np.testing.assert_allclose(found.energy_eV, region_axis(low, high), atol=6e-4)
    reference = next(line for line in real.decode().split("\r\n") if line.startswith("# Reference: "))
    write_dat(tmp_path / name, found, reference=reference.removeprefix("# Reference: "))
    assert (tmp_path / name).read_bytes() == real


@given(low=st.floats(50.0, 700.0), width=st.floats(5.0, 1400.0), height=st.floats(1e-9, 1e6), seed=st.integers(0, 99))
def test_both_forms_keep_seven_digits(
    tmp_path_factory: pytest.TempPathFactory, low: float, width: float, height: float, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("forms")
    axis = region_axis(low, low + width)
    written = RegionSpectrum(axis, height * np.random.default_rng(seed).uniform(0.1, 1.0, len(axis)))
    write_spc(folder / "a.spc", written)
    write_dat(folder / "a.dat", written, reference="none")
    for found in (read_spc(folder / "a.spc", (low, low + width)), read_dat(folder / "a.dat")):
        np.testing.assert_allclose(found.intensity, written.intensity, rtol=1e-6)
        np.testing.assert_allclose(found.energy_eV, axis, rtol=1e-6)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text[: len(text) // 2], "where"),
        (lambda text: "", "0 points"),
        (lambda text: text.replace("\n", " nan\n", 30).replace(" nan\n", "\n", 29), "3 numbers|not finite"),
        (lambda text: "\n".join([*text.splitlines()[:-1], "1.485470e+03 nan"]), "line 2049: .*not finite"),
        (lambda text: "\n".join([*text.splitlines()[:-1], "1.485470e+03 inf"]), "line 2049: .*not finite"),
        (lambda text: text + "1.486e+03 1.0\n", "2049 points"),
        (lambda text: text.replace("4.000000e+02", "4.010000e+02"), "line 2: energy 401 eV"),
        (lambda text: text.replace("4.000000e+02", "four hundred"), "line 2: .*no row of numbers|numbers where"),
    ],
)
def test_a_damaged_spectrum_is_refused(tmp_path: Path, spectrum: RegionSpectrum, damage, said: str) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "reg1.spc"
    write_spc(file, spectrum)
    file.write_text(damage(file.read_text()))
    with pytest.raises(UsageError, match=said) as refused:
        read_spc(file, REGION)
    assert str(file) in str(refused.value)


def test_a_spectrum_of_another_region_is_refused(tmp_path: Path, spectrum: RegionSpectrum) -> None:
    write_spc(tmp_path / "reg1.spc", spectrum)
    with pytest.raises(UsageError, match="the region has"):
        read_spc(tmp_path / "reg1.spc", (400.0, 1486.6))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_spc(tmp_path / "reg1.spc", REGION)
    with pytest.raises(UsageError, match="cannot be read"):
        read_peaks(tmp_path / "sam_peak.txt")


def test_the_peak_list_is_read_back(tmp_path: Path) -> None:
    write_peaks(tmp_path / "sam_peak.txt", PEAKS)
    assert read_peaks(tmp_path / "sam_peak.txt") == PEAKS
    lines = (tmp_path / "sam_peak.txt").read_text().splitlines()
    assert lines[1].endswith(": 3") and lines[4].split()[0] == "1" and lines[3] == lines[7] == "-" * 80


@given(st.integers(0, 400))
def test_a_peak_list_cut_anywhere_is_refused(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    file = tmp_path_factory.mktemp("peaks") / "sam_peak.txt"
    write_peaks(file, PEAKS)
    whole = file.read_text()
    cut = min(cut, len(whole) - 82)
    file.write_text(whole[:cut])
    with pytest.raises(UsageError, match="line"):
        read_peaks(file)


def test_parameters_are_read_back_by_the_names_of_their_columns(tmp_path: Path) -> None:
    rows = (PeakTransport(1, 1, "au4f7", 7412.7, 64.4, 244.9, 0.05), PeakTransport(2, 1, "au4f7", 7412.7, 91.25, 500.5))
    write_parameters(tmp_path / "sam_par.txt", rows)
    assert read_parameters(tmp_path / "sam_par.txt") == rows
    (tmp_path / "real.txt").write_text(
        "\n#lay |peak_no |peak_id |Energy [eV] |IMFP [A] |EMFP [A] |TRMFP [A] |SEP [sqrt(1/eV)]|\n"
        "   1 |      1 |au4f7   |  7412.7000 |  64.40000 [  1] |  20.10000 [  2] | 244.90000 [  2] | 0.05000 [  3]|\n"
    )
    assert read_parameters(tmp_path / "real.txt") == rows[:1]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [("IMFP [A]", "IMFP [nm]", "not in 'A'"), ("peak_id", "name", "missing"), ("64.40000", "nan", "line 2: .*finite"),
     ("#lay", "lay", "begins with #lay"), ("  64.40000 [  1] |", "", "columns where")],
)  # fmt: skip
def test_parameters_in_another_form_are_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    file = tmp_path / "sam_par.txt"
    write_parameters(file, (PeakTransport(1, 1, "au4f7", 7412.7, 64.4, 244.9),))
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(UsageError, match=said):
        read_parameters(file)
