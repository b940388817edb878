"""The figure of a spectrum: names never overlap, the axes turn as the field wants, equal input gives equal bytes."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.errors import UsageError
from xpshpc.spectra.elements import ELEMENTS
from xpshpc.spectra.figures.line_marks import MOST_LINES, LineMark, choose_marks
from xpshpc.spectra.figures.spectrum_plot import LABEL_SPACING, place_marks, plot_spectrum, spectrum_svg
from xpshpc.spectra.lines.line_table import line_table

AXIS = 400.0 + np.arange(512) * 1086.0 / 512
COUNTS = 1000.0 + 5e5 * np.exp(-(((AXIS - 955.6) / 2) ** 2))
MARKS = [LineMark("O", "1s", 955.6), LineMark("Cu", "2p3/2", 553.9), LineMark("Cu", "2p1/2", 534.3)]


@given(st.lists(st.floats(390, 1500), max_size=90))
def test_names_stand_apart_in_order_and_inside(energies: list[float]) -> None:
    marks = [LineMark("Cu", str(number), energy) for number, energy in enumerate(energies)]
    placed = place_marks(marks, 400.0, 1486.0)
    names = np.array([one.name_at for one in placed])
    lines = np.array([one.at for one in placed])
    assert np.all(np.diff(names) >= LABEL_SPACING - 1e-9)
    assert np.all(np.diff(lines) >= 0)
    assert np.all((names >= -1e-9) & (names <= 1 + 1e-9))
    inside = [mark for mark in marks if 400 <= mark.kinetic_energy_eV <= 1486]
    assert {one.mark.orbital for one in placed} == {mark.orbital for mark in inside[: int(1 / LABEL_SPACING)]}


@given(st.lists(st.integers(0, 9), min_size=1, max_size=10, unique=True))
def test_names_with_room_stand_at_their_lines(tenths: list[int]) -> None:
    placed = place_marks([LineMark("Cu", "2p", 450.0 + 100 * place) for place in tenths], 400.0, 1486.0)
    for one in placed:
        assert one.name_at == pytest.approx(one.at)


@pytest.mark.parametrize("source", ["AlKa", "MgKa"])
def test_every_element_is_marked_by_its_own_lines_the_highest_first(source: str) -> None:
    table = line_table(source)
    for element in ELEMENTS:
        marks = choose_marks(table, [element], 400.0, 1486.0)
        assert len(marks) <= MOST_LINES
        assert {mark.element for mark in marks} <= {element}
        own = table.kinetic_energy_eV[table.element == ELEMENTS.index(element)]
        assert all(mark.kinetic_energy_eV in own for mark in marks)
        if np.any((own >= 400.0) & (own <= 1486.0)):
            assert marks


def test_known_strongest_lines_come_first() -> None:
    table = line_table("AlKa")
    known = {"Cu": "2p3/2", "C": "1s", "Au": "4f7/2", "Ag": "3d5/2", "Si": "2p", "Pt": "4f7/2", "Na": "1s"}
    for element, orbital in known.items():
        assert choose_marks(table, [element], 400.0, 1486.0)[0].orbital == orbital


def drawn_words(svg: str) -> str:
    """The words of a figure, without the blanks between them: formulas are written glyph by glyph."""
    texts = ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return "|".join("".join("".join(text.itertext()).split()) for text in texts)


def test_svg_is_well_formed_and_tells_scales_units_and_lines() -> None:
    svg = spectrum_svg(AXIS, COUNTS, 1486.6, MARKS, "Cu & O <1>", "overlayer 3 Å", legend={"Cu": "Cu 66.7 at.%"})
    assert ET.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    words = drawn_words(svg)
    for word in (
        "Binding energy (eV)",
        "Kinetic energy (eV)",
        "1486.6 eV",
        "O 1s",
        "Cu 66.7 at.%",
        "3 Å",
        "counts)",
        "Cu & O <1>",
    ):
        assert word.replace(" ", "") in words


def ticks(svg: str, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Places (points from the left) and values of an axis' major ticks."""
    part = svg.split(f'<g id="matplotlib.axis_{axis}">')[1].split('<g id="matplotlib.axis_')[0]
    found = [
        (float(place.group(1)), float(value.group(1)))
        for tick in part.split('<g id="xtick_')[1:]
        if (place := re.search(r'<use [^>]*x="([\d.]+)"', tick)) and (value := re.search(r"<text [^>]*>(\d+)<", tick))
    ]
    return np.array([place for place, _ in found]), np.array([value for _, value in found])


def test_binding_energy_falls_from_left_to_right_and_adds_up_with_kinetic_energy() -> None:
    svg = spectrum_svg(AXIS, COUNTS, 1486.6, MARKS, "title")
    above, kinetic = ticks(svg, 1)
    below, binding = ticks(svg, 3)
    assert len(binding) > 5
    assert np.all(np.diff(binding[np.argsort(below)]) < 0)
    kinetic_there = np.polyval(np.polyfit(above, kinetic, 1), below)
    np.testing.assert_allclose(kinetic_there + binding, 1486.6, atol=0.1)


def test_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    for path in (first, second):
        plot_spectrum(path, AXIS, COUNTS, 1486.6, MARKS, "title", "subtitle")
    assert first.read_bytes() == second.read_bytes()


def test_suffix_decides_the_format(tmp_path: Path) -> None:
    for suffix, signature in ((".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml")):
        path = tmp_path / "new folder" / f"s{suffix}"
        plot_spectrum(path, AXIS, COUNTS, 1486.6, MARKS, "$title_", "a $ b", legend={"O": "O 1 at.%"})
        assert path.read_bytes().startswith(signature)
    with pytest.raises(UsageError, match=r"cannot draw \.bmp"):
        plot_spectrum(tmp_path / "s.bmp", AXIS, COUNTS, 1486.6, MARKS, "title")
    assert not (tmp_path / "s.bmp").exists()


def test_empty_spectrum_and_no_marks_can_be_drawn() -> None:
    assert "Binding" in spectrum_svg(AXIS, np.zeros(len(AXIS)), 1486.6, [], "")
