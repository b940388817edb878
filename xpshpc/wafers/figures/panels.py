"""The figures of wafer maps for a run's report: example maps, and a classifier's scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.domain import Arrays, Panel
from xpshpc.wafers.class_names import class_names
from xpshpc.wafers.figures.class_figures import class_scores_panel, confusion_panel
from xpshpc.wafers.figures.map_grid import draw_map_rows
from xpshpc.wafers.settings import WaferSettings

EXAMPLES = 8
"""Maps of a class that are shown."""


def make_panels(
    settings: WaferSettings, rows: Arrays, truth: Arrays, answer: Arrays, metrics: Mapping[str, Any]
) -> list[Panel]:
    """The report's figures. What needs stored `rows`, or the `metrics` of a classifier, is left out where they lack it.

    `rows` are samples of the store: `map` (n, size, size) and `label` (n,).
    """
    panels = list(_example_panels(rows, class_names(settings)))
    classes = metrics.get("classes")
    if classes and "confusion" in metrics:
        panels.append(class_scores_panel(classes, float(metrics["macro_f1"])))
        panels.append(confusion_panel(list(classes), metrics["confusion"]))
    return panels


def choose_examples(
    maps: NDArray[np.uint8], labels: NDArray[Any], names: tuple[str, ...]
) -> dict[str, list[NDArray[np.uint8]]]:
    """The first maps of each class that there are some of, by its name."""
    return {
        name: [maps[row] for row in np.flatnonzero(labels == place)[:EXAMPLES]]
        for place, name in enumerate(names)
        if (labels == place).any()
    }


def _example_panels(rows: Arrays, names: tuple[str, ...]) -> Iterator[Panel]:
    if not len(rows.get("map", ())):
        return
    examples = choose_examples(rows["map"], rows["label"], names)
    yield Panel(
        "Wafer maps of each class",
        "Stored samples that the network did not learn from; each square is a die, blue where it fails.",
        draw_map_rows(examples, EXAMPLES),
    )
