"""The periodic table has one place for each element, where chemists look for it."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from xpshpc.drawing import DENSITY
from xpshpc.spectra.elements import ATOMIC_NUMBERS
from xpshpc.spectra.figures.periodic_table import blend, draw_periodic_table, table_place


def test_every_element_has_a_place_of_its_own() -> None:
    places = [table_place(number) for number in range(1, 119)]
    assert len(set(places)) == 118
    assert all(0 <= column < 18 and 0 <= row < 9 for column, row in places)


@pytest.mark.parametrize(
    ("symbol", "group", "period"),
    [("H", 1, 1), ("He", 18, 1), ("C", 14, 2), ("Al", 13, 3), ("Cu", 11, 4), ("Y", 3, 5), ("Xe", 18, 5), ("La", 3, 6),
     ("Hf", 4, 6), ("Bi", 15, 6)],
)  # fmt: skip
def test_groups_and_periods_are_the_known_ones(symbol: str, group: int, period: int) -> None:
    assert table_place(ATOMIC_NUMBERS[symbol]) == (group - 1, period - 1)


def test_lanthanides_stand_apart_in_order() -> None:
    assert [table_place(number) for number in range(58, 72)] == [(column, 7) for column in range(3, 17)]


def test_values_are_written_and_the_largest_is_the_darkest() -> None:
    svg = ElementTree.fromstring(draw_periodic_table({"Cu": 2.5, "O": 0.25}, unit="at.%", label="Error <all>"))
    _, _, width, height = map(float, svg.attrib["viewBox"].split())
    drawn = {}
    for cell in svg.findall("{*}g"):
        rectangle = cell.find("{*}rect")
        assert 0 <= float(rectangle.get("x")) <= width - 46 and 0 <= float(rectangle.get("y")) <= height - 46
        drawn[cell.find("{*}title").text.split(":")[0]] = (
            rectangle.get("fill"),
            [t.text for t in cell.findall("{*}text")],
        )
    assert drawn["Cu"] == (DENSITY[-1], ["29", "Cu", "2.50"])
    assert drawn["O"][0] == blend(0.1) and drawn["Fe"] == ("none", ["26", "Fe"])
    assert len(drawn) == 83


def test_colours_may_begin_above_zero() -> None:
    svg = ElementTree.fromstring(draw_periodic_table({"Cu": 100.0, "O": 80.0}, unit="%", label="F1", lowest=80.0))
    fills = {cell.find("{*}title").text.split(":")[0]: cell.find("{*}rect").get("fill") for cell in svg.findall("{*}g")}
    assert (fills["O"], fills["Cu"]) == (DENSITY[0], DENSITY[-1])
    assert [text.text for text in svg.findall("{*}text")][1:] == ["80", "100"]
    same = draw_periodic_table({"Cu": 80.0}, unit="%", label="F1", lowest=80.0)
    assert f'fill="{DENSITY[0]}"' in same


def test_colours_run_from_the_first_to_the_last() -> None:
    assert (blend(0), blend(1), blend(-3), blend(7)) == (DENSITY[0], DENSITY[-1], DENSITY[0], DENSITY[-1])
    assert blend(1 / 3) == DENSITY[1]


def test_a_table_without_values_is_empty_but_whole() -> None:
    assert draw_periodic_table({}, unit="at.%", label="Error").count("<rect") == 83 + 24
