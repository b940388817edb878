"""Scores of a classifier as figures: what is taken for what, and how well each class is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.domain import Panel
from xpshpc.drawing import AMBER, BLUE, DENSITY, INK, draw_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ROW_IN = 0.38
_DARK_FROM = 0.5


def confusion_panel(names: Sequence[str], confusion: Sequence[Sequence[int]]) -> Panel:
    """How often samples of each class (row) were told as each class (column); colours are shares of the row."""
    counts = np.array(confusion, np.int64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    def draw(figure: Figure) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        axes = figure.add_subplot()
        colours = LinearSegmentedColormap.from_list("shares", ["#ffffff", *DENSITY])
        axes.imshow(shares, cmap=colours, vmin=0, vmax=1, aspect="auto")
        for row, column in np.argwhere(counts > 0):
            colour = "white" if shares[row, column] > _DARK_FROM else INK
            told = str(counts[row, column])
            axes.text(column, row, told, ha="center", va="center", fontsize=8.5, color=colour)
        axes.set_xticks(range(len(names)), names, rotation=35, ha="right")
        axes.set_yticks(range(len(names)), names)
        axes.grid(visible=False)
        axes.set_xlabel("Told class")
        axes.set_ylabel("True class")

    return Panel(
        "What is taken for what",
        f"Samples of each class (row) by the class that the network told (column), coloured by their share of the row. "
        f"{_describe_mistake(names, counts)}",
        draw_svg(draw, width_in=8.6, height_in=1.6 + _ROW_IN * len(names)),
    )


def _describe_mistake(names: Sequence[str], counts: NDArray[np.int64]) -> str:
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    if not wrong.any():
        return "No sample was told wrongly."
    row, column = divmod(int(np.argmax(wrong)), len(names))
    return (
        f"Most often wrong: {names[row]} told as {names[column]}, {wrong[row, column]} of {counts[row].sum()} samples."
    )


def class_scores_panel(classes: Mapping[str, Mapping[str, Any]], macro_f1: float) -> Panel:
    """F1 of each class that has samples, beside its precision and recall."""
    known = {name: scores for name, scores in classes.items() if scores["f1"] is not None}

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        places = np.arange(len(known))
        axes.barh(places, [100 * scores["f1"] for scores in known.values()], height=0.62, color=BLUE, label="F1")
        for key, marker, colour in (("precision", "|", INK), ("recall", "d", AMBER)):
            told = [
                (100 * scores[key], place) for place, scores in zip(places, known.values(), strict=True) if scores[key]
            ]
            if told:
                axes.plot(*zip(*told, strict=True), marker, color=colour, markersize=7, label=key, clip_on=False)
        axes.axvline(100 * macro_f1, color=INK, linewidth=0.8, linestyle="--", label="mean F1")
        axes.set_yticks(places, [f"{name} ({scores['samples']})" for name, scores in known.items()])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(known) - 0.4, -0.6)
        axes.set_xlim(0, 100)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("%")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4)

    worst = min(known, key=lambda name: float(known[name]["f1"]))
    return Panel(
        "How well each class is told",
        "F1, the harmonic mean of precision (of the samples told so, those that are) and recall (of those that are, "
        f"the samples told so), with the number of samples; lowest: {worst}, {100 * known[worst]['f1']:.1f} %.",
        draw_svg(draw, width_in=8.6, height_in=1.5 + _ROW_IN * len(known)),
    )
