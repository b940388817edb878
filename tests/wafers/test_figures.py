"""The figures of wafer maps: what is drawn, what is left out, and the same bytes for the same data."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

from xpshpc.wafers.figures.map_grid import lay_side_by_side
from xpshpc.wafers.figures.panels import EXAMPLES, choose_examples, make_panels
from xpshpc.wafers.learning.class_scores import count_classes, summarise_classes
from xpshpc.wafers.settings import WaferSettings

CLASSES = ("Donut", "Loc", "Scratch")
SETTINGS = WaferSettings.model_validate({"size": 8, "patterns": {"classes": CLASSES}})


def rows() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(1)
    maps = generator.integers(0, 3, (20, 8, 8), dtype=np.uint8)
    return {"map": maps, "label": np.repeat(np.array([0, 1], np.uint8), [12, 8])}


def scores(truth: list[int], told: list[int]) -> dict[str, object]:
    labels, answer = (np.eye(3, dtype=np.float32)[which] for which in (truth, told))
    return summarise_classes(count_classes(labels, answer), CLASSES)


def test_examples_are_those_of_each_class_that_there_are_some_of() -> None:
    stored = rows()
    chosen = choose_examples(stored["map"], stored["label"], CLASSES)
    assert list(chosen) == ["Donut", "Loc"]
    assert [len(maps) for maps in chosen.values()] == [EXAMPLES, 8]
    np.testing.assert_array_equal(chosen["Loc"][0], stored["map"][12])


def test_maps_lie_side_by_side_and_empty_places_stay_empty() -> None:
    stored = rows()["map"]
    strip = lay_side_by_side([stored[0], stored[1]], 3)
    assert strip.shape == (8, 30)
    np.testing.assert_array_equal(strip[:, :8], stored[0])
    np.testing.assert_array_equal(strip[:, 11:19], stored[1])
    assert not strip[:, 8:11].any() and not strip[:, 19:].any()


def test_a_page_shows_maps_scores_and_mistakes_by_name() -> None:
    metrics = scores([0, 0, 0, 1, 1], [0, 0, 1, 1, 1])
    panels = make_panels(SETTINGS, rows(), {}, {}, metrics)
    assert [panel.title for panel in panels] == [
        "Wafer maps of each class",
        "How well each class is told",
        "What is taken for what",
    ]
    for panel in panels:
        ElementTree.fromstring(panel.svg)
        assert "Donut" in panel.svg and "Loc" in panel.svg
    assert "lowest: Donut, 80.0 %" in panels[1].caption
    assert "Scratch" not in panels[1].svg
    assert "Donut told as Loc, 1 of 3 samples" in panels[2].caption
    again = make_panels(SETTINGS, rows(), {}, {}, metrics)
    assert [panel.svg for panel in again] == [panel.svg for panel in panels]


def test_no_mistakes_are_said_to_be_none() -> None:
    panels = make_panels(SETTINGS, {}, {}, {}, scores([0, 1, 2], [0, 1, 2]))
    assert "No sample was told wrongly." in panels[-1].caption


def test_what_is_not_there_is_left_out() -> None:
    assert make_panels(SETTINGS, {}, {}, {}, {}) == []
    gan = {"samples": 5, "diversity": 0.3}
    assert [panel.title for panel in make_panels(SETTINGS, rows(), {}, {}, gan)] == ["Wafer maps of each class"]
