"""The report's own figures: those of the engine, whatever the science."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from xpshpc.drawing import AMBER, BLUE, draw_svg
from xpshpc.report.labels import write_label
from xpshpc.report.rivals import LOSSES, SCORES, are_rivals
from xpshpc.train.history import EpochFinished

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_METRICS = 3
_LOGARITHMIC_FROM = 5.0


def draw_history(history: Sequence[EpochFinished]) -> str:
    """Losses, and below them up to three validation metrics, against the epoch, as an `<svg>` element.

    The losses are those of training and of validation or, of two networks that train each other, that of each.
    """
    rivals = are_rivals(history[-1].validation)
    names = ["diversity", *SCORES] if rivals else [name for name in history[-1].validation if name != "loss"]
    names = [name for name in names if name in history[-1].validation][:MOST_METRICS]

    from matplotlib.ticker import MaxNLocator

    def draw(figure: Figure) -> None:
        shape = "AAA" if len(names) == 3 else "A" * max(1, len(names))
        below = "BCD"[: len(names)]
        places = figure.subplot_mosaic(f"{shape}\n{below}" if names else shape, height_ratios=[5, 3] if names else None)
        if rivals:
            _draw_losses(places["A"], {write_label(name): _validation(history, name) for name in LOSSES})
        else:
            training = [(epoch.epoch, epoch.loss) for epoch in history]
            _draw_losses(places["A"], {"training": training, "validation": _validation(history, "loss")})
        for place, name in zip(below, names, strict=True):
            axes = places[place]
            axes.plot(*zip(*_validation(history, name), strict=True), "o-", color=AMBER, linewidth=1.3, markersize=3)
            axes.set_title(f"Validation: {write_label(name)}")
            axes.set_xlabel("Epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))

    return draw_svg(draw, width_in=8.6, height_in=5.8 if names else 3.6)


def _validation(history: Sequence[EpochFinished], name: str) -> list[tuple[int, float]]:
    """A validation metric of the epochs that have it, each with its number."""
    return [(epoch.epoch, epoch.validation[name]) for epoch in history if name in epoch.validation]


def _draw_losses(axes: Axes, losses: Mapping[str, Sequence[tuple[int, float]]]) -> None:
    from matplotlib.ticker import MaxNLocator

    told = {label: curve for label, curve in losses.items() if curve}
    for (label, curve), mark, colour in zip(told.items(), ("o-", "s-"), (BLUE, AMBER), strict=False):
        axes.plot(*zip(*curve, strict=True), mark, color=colour, linewidth=1.4, markersize=3, label=label)
    every = [loss for curve in told.values() for _, loss in curve]
    if min(every) > 0 and max(every) / min(every) > _LOGARITHMIC_FROM:
        axes.set_yscale("log")
    axes.set_xlabel("Epoch")
    axes.set_ylabel("Loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
