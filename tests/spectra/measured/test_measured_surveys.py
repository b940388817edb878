"""Real surveys of three laboratories: the readers agree with one another, and the lines stand where they should."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xpshpc.spectra.measured import bring_to_axis, read_measured
from xpshpc.spectra.measured.vamas_blocks import read_blocks
from xpshpc.spectra.measured.vamas_spectra import _read_by_library

DATA = Path(__file__).parents[4] / "shared" / "data" / "xps"
AXIS = 400.0 + np.arange(2048) * (1486.0 - 400.0) / 2048
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"the measured surveys are not here ({DATA})")


@pytest.mark.parametrize(
    ("name", "orbital_eV"),
    [
        ("xpsdl_Cu_references_3_Cumetal.csv", 1486.6 - 932.6),
        ("xpsdl_Ni_references_2_NiO.csv", 1486.6 - 854.5),
        ("pynx_MgFe2O4_survey0.csv", 1180.0),
        ("kf_tougaard_NaZnSOC.csv", 1486.6 - 285.0),
    ],
)
def test_highest_line_of_each_survey_stands_where_handbooks_say(name: str, orbital_eV: float) -> None:
    """Cu 2p3/2, Ni 2p3/2 of NiO, Mg KLL of the ferrite, C 1s: binding energies of the NIST XPS database (SRD 20)."""
    (survey,) = read_measured(DATA / "surveys" / name)
    on_axis = bring_to_axis(survey, AXIS)
    slope = np.diff(on_axis, prepend=on_axis[0])
    assert AXIS[np.argmax(on_axis)] == pytest.approx(orbital_eV, abs=2.5)
    assert abs(slope).max() > 0.1 * on_axis.max()


def test_table_and_vamas_of_one_measurement_are_the_same() -> None:
    for table, vamas, sample in (
        ("xpsdl_Cu_references_3_Cumetal.csv", "Cu_references.vms", "Cu metal"),
        ("pynx_MgFe2O4_survey0.csv", "irregular.vms", "1 as-loaded"),
    ):
        (one,) = read_measured(DATA / "surveys" / table)
        (other,) = [found for found in read_measured(DATA / "vamas" / vamas) if found.name.startswith(sample)]
        np.testing.assert_allclose(one.kinetic_energy_eV, other.kinetic_energy_eV, atol=1e-9)
        np.testing.assert_allclose(one.intensity, other.intensity, rtol=1e-5)  # six digits in both


def test_regular_and_irregular_file_of_one_measurement_differ_by_a_factor() -> None:
    """Counts in a tenth of a second against counts per second; the transmission is the same table."""
    (counts,) = read_measured(DATA / "vamas" / "regular.vms")
    (rate,) = read_measured(DATA / "vamas" / "irregular.vms")
    ratio = rate.intensity / counts.intensity
    assert np.ptp(ratio) < 1e-3 * ratio.mean()
    assert counts.transmission is not None
    assert rate.transmission is not None
    np.testing.assert_allclose(counts.transmission, rate.transmission, rtol=1e-9)
    np.testing.assert_allclose(counts.kinetic_energy_eV, rate.kinetic_energy_eV, atol=1e-9)


@pytest.mark.parametrize("name", ["Cu_references.vms", "regular.vms"])
def test_library_and_own_reader_agree_on_real_files(name: str) -> None:
    lines = (DATA / "vamas" / name).read_text(encoding="utf-8").replace("\r\n", "\n").split("\n")
    by_library = _read_by_library(lines)
    assert by_library is not None
    own = read_blocks(Path(name), lines)
    assert len(own) == len(by_library)
    for one, other in zip(own, by_library, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        assert (one.name, one.sample, one.abscissa) == (other.name, other.sample, other.abscissa)
        assert (one.source_energy_eV, one.work_function_eV) == (other.source_energy_eV, other.work_function_eV)
