"""VAMAS files: what was written is read, in every layout that the standard allows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.spectra.measured.vamas_files import Block, Layout, vamas_text
from xpshpc.errors import UsageError
from xpshpc.spectra.measured import MeasuredSpectrum, read_measured
from xpshpc.spectra.measured.vamas_blocks import VamasBlock, read_blocks
from xpshpc.spectra.measured.vamas_header import read_header
from xpshpc.spectra.measured.vamas_spectra import _read_by_library, library_reads

POINTS = 1200
ENERGY = 286.5 + np.arange(POINTS)
COUNTS = 1000.0 + 300.0 * np.sin(np.arange(POINTS) / 9.0) + np.arange(POINTS)
SURVEY = Block(ENERGY, [("counts", "d", COUNTS)], comment=["first", "second"])
DEPARTURES = [
    Layout(scan_mode="IRREGULAR"),
    Layout(listed=[8, 14, 25, 31, 32, 40]),
    Layout(listed=[9, 34], exclusion=False),
    Layout(experiment_mode="SDP"),
    Layout(experiment_mode="SDP", scan_mode="IRREGULAR", listed=[13, 37]),
    Layout(experiment_mode="MAP"),
    Layout(experiment_mode="MAPDP"),
    Layout(future_experiment=["new"], future_block=["newer", "newest"]),
    Layout(manual=[14, 25]),
]


def read(folder: Path, text: str, name: str = "survey.vms") -> list[MeasuredSpectrum]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_measured(path)


@pytest.mark.parametrize("layout", [Layout(), *DEPARTURES], ids=str)
def test_every_layout_gives_back_what_was_written(tmp_path: Path, layout: Layout) -> None:
    second = replace(SURVEY, columns=[("counts", "d", 2 * COUNTS + 1)], name="Survey 2")
    found = read(tmp_path, vamas_text([SURVEY, second], layout))
    assert [one.name for one in found] == ["sample, Survey", "sample, Survey 2"]
    for one, counts in zip(found, (COUNTS, 2 * COUNTS + 1), strict=True):
        np.testing.assert_allclose(one.kinetic_energy_eV, ENERGY, rtol=1e-14)
        np.testing.assert_array_equal(one.intensity, counts)
        assert (one.photon_energy_eV, one.work_function_eV, one.scale) == (1486.61, 4.1, "kinetic")


def test_library_is_asked_only_for_what_it_reads_right() -> None:
    def header(layout: Layout):
        return read_header(Path("file"), vamas_text([SURVEY], layout).split("\n"))[0]

    assert library_reads(header(Layout()))
    assert not any(library_reads(header(layout)) for layout in DEPARTURES)


def same(one: VamasBlock, other: VamasBlock) -> None:
    np.testing.assert_array_equal(one.values, other.values)
    blank = np.zeros(0)
    assert replace(one, values=blank, first_line=0) == replace(other, values=blank, first_line=0)


def test_library_and_own_reader_agree_block_by_block(tmp_path: Path) -> None:
    blocks = [SURVEY, replace(SURVEY, name="O 1s", comment=[], columns=[("counts", "d", COUNTS), ("T", "d", COUNTS)])]
    lines = vamas_text(blocks).split("\n")
    by_library = _read_by_library(lines)
    assert by_library is not None
    for one, other in zip(by_library, read_blocks(Path("file"), lines), strict=True):
        same(one, other)


@settings(max_examples=25)
@given(
    start=st.floats(50, 400),
    step=st.floats(0.05, 2.0),
    counts=st.lists(st.floats(0, 1e7), min_size=60, max_size=120).filter(lambda values: len(set(values)) > 1),
    regular=st.booleans(),
    falling=st.booleans(),
)
def test_round_trip_keeps_every_number(
    tmp_path_factory: pytest.TempPathFactory,
    start: float,
    step: float,
    counts: list[float],
    regular: bool,
    falling: bool,
) -> None:
    energy = start + step * np.arange(len(counts))
    written = np.array(counts)
    block = Block(energy[::-1] if falling else energy, [("Intensity", "d", written[::-1] if falling else written)])
    layout = Layout(scan_mode="REGULAR" if regular else "IRREGULAR")
    (found,) = read(tmp_path_factory.mktemp("vamas"), vamas_text([block], layout))
    np.testing.assert_allclose(found.kinetic_energy_eV, energy, rtol=1e-12)
    np.testing.assert_array_equal(found.intensity, written)


def test_binding_axis_becomes_kinetic_by_photon_energy(tmp_path: Path) -> None:
    binding = replace(SURVEY, energy_eV=1486.61 - ENERGY, axis_label="binding energy")
    (found,) = read(tmp_path, vamas_text([binding]))
    np.testing.assert_allclose(found.kinetic_energy_eV, ENERGY, rtol=1e-12)
    np.testing.assert_array_equal(found.intensity, COUNTS)
    assert found.scale == "binding"


@pytest.mark.parametrize("layout", [Layout(), Layout(scan_mode="IRREGULAR")], ids=["regular", "irregular"])
def test_second_variable_is_the_transmission(tmp_path: Path, layout: Layout) -> None:
    transmission = ENERGY**-0.6
    block = replace(SURVEY, columns=[("counts", "d", COUNTS), ("Transmission", "d", transmission)])
    (found,) = read(tmp_path, vamas_text([block], layout))
    assert found.transmission is not None
    np.testing.assert_array_equal(found.transmission, transmission)
    swapped = replace(SURVEY, columns=[("Transmission", "d", transmission), ("counts", "d", COUNTS)])
    (found,) = read(tmp_path, vamas_text([swapped], layout))
    np.testing.assert_array_equal(found.intensity, COUNTS)


def test_values_that_nobody_entered_are_unknown(tmp_path: Path) -> None:
    block = replace(
        SURVEY,
        source_energy="1e+037",
        source_label="Mg",
        work_function="1E37",
        columns=[("counts", "d", COUNTS), ("Transmission", "d", np.full(POINTS, 1e37))],
    )
    (found,) = read(tmp_path, vamas_text([replace(block, energy_eV=ENERGY - 250)]))
    assert (found.photon_energy_eV, found.work_function_eV, found.transmission) == (1253.6, None, None)
    assert any("Mg" in remark for remark in found.remarks)


def test_surveys_are_taken_and_single_lines_left(tmp_path: Path) -> None:
    line = replace(SURVEY, energy_eV=ENERGY[:200], columns=[("counts", "d", COUNTS[:200])], name="O 1s")
    found = read(tmp_path, vamas_text([line, SURVEY, line]))
    assert [one.name for one in found] == ["sample, Survey"]
    with pytest.raises(UsageError, match=r"no survey among the 2 spectra.*O 1s"):
        read(tmp_path, vamas_text([line, line]))


def test_format_is_known_by_content_not_by_name(tmp_path: Path) -> None:
    for name in ("survey.txt", "survey", "survey.npl"):
        (found,) = read(tmp_path, vamas_text([SURVEY]), name)
        np.testing.assert_array_equal(found.intensity, COUNTS)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_encodings_and_line_ends_change_nothing(tmp_path: Path, encoding: str, newline: str) -> None:
    block = replace(SURVEY, sample="Kupferblech, gerührt µ")
    path = tmp_path / "survey.vms"
    path.write_bytes(vamas_text([block]).replace("\n", newline).encode(encoding))
    (found,) = read_measured(path)
    assert found.name == "Kupferblech, gerührt µ, Survey"
    np.testing.assert_array_equal(found.intensity, COUNTS)


def test_faults_name_the_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = vamas_text([SURVEY], Layout(scan_mode="IRREGULAR")).split("\n")
    first = len(lines) - 2 - 2 * POINTS
    assert float(lines[first]) == ENERGY[0]
    broken = [*lines[: first + 21], "oops", *lines[first + 22 :]]
    with pytest.raises(UsageError, match="'oops'") as caught:
        read(tmp_path, "\n".join(broken))
    assert f"line {first + 22}" in caught.value.where
    negative = [*lines[: first + 41], "-3.5", *lines[first + 42 :]]
    with pytest.raises(UsageError, match="negative") as caught:
        read(tmp_path, "\n".join(negative))
    assert f"line {first + 41}" in caught.value.where
    for layout in (Layout(), Layout(scan_mode="IRREGULAR")):
        whole = vamas_text([SURVEY], layout).split("\n")
        for kept in (3, 9, 30, 60, len(whole) // 2):
            with pytest.raises(UsageError, match="ends too early"):
                read(tmp_path, "\n".join(whole[:kept]))
    assert capsys.readouterr().out == ""


def test_files_without_photoelectrons_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no XPS spectrum.*AES dir"):
        read(tmp_path, vamas_text([replace(SURVEY, technique="AES dir")]))
    with pytest.raises(UsageError, match="in s, not over energy"):
        read(tmp_path, vamas_text([replace(SURVEY, axis_label="time", axis_unit="s")]))
    with pytest.raises(UsageError, match="images, not spectra"):
        read(tmp_path, vamas_text([SURVEY], Layout(scan_mode="MAPPING")))
