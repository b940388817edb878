"""The report's own figures: those of the engine, whatever the science."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xpshpc.drawing import AMBER, BLUE, draw_svg
from xpshpc.report.labels import write_label
from xpshpc.train.history import EpochFinished

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_METRICS = 3
_LOGARITHMIC_FROM = 5.0


def draw_history(history: Sequence[EpochFinished]) -> str:
    """Training and validation loss, and up to three validation metrics, against the epoch, as an `<svg>` element."""
    names = [name for name in history[-1].validation if name != "loss"][:MOST_METRICS]

    from matplotlib.ticker import MaxNLocator

    def draw(figure: Figure) -> None:
        shape = "AAA" if len(names) == 3 else "A" * max(1, len(names))
        below = "BCD"[: len(names)]
        places = figure.subplot_mosaic(f"{shape}\n{below}" if names else shape, height_ratios=[5, 3] if names else None)
        _draw_loss(places["A"], history)
        for place, name in zip(below, names, strict=True):
            axes = places[place]
            axes.plot(
                [epoch.epoch for epoch in history],
                [epoch.validation[name] for epoch in history],
                "o-",
                color=AMBER,
                linewidth=1.3,
                markersize=3,
            )
            axes.set_title(f"Validation: {write_label(name)}")
            axes.set_xlabel("Epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))

    return draw_svg(draw, width_in=8.6, height_in=5.8 if names else 3.6)


def _draw_loss(axes: Axes, history: Sequence[EpochFinished]) -> None:
    from matplotlib.ticker import MaxNLocator

    epochs = [epoch.epoch for epoch in history]
    training = [epoch.loss for epoch in history]
    axes.plot(epochs, training, "o-", color=BLUE, linewidth=1.4, markersize=3, label="training")
    told = [(epoch.epoch, epoch.validation["loss"]) for epoch in history if "loss" in epoch.validation]
    if told:
        axes.plot(*zip(*told, strict=True), "s-", color=AMBER, linewidth=1.4, markersize=3, label="validation")
    every = training + [loss for _, loss in told]
    if min(every) > 0 and max(every) / min(every) > _LOGARITHMIC_FROM:
        axes.set_yscale("log")
    axes.set_xlabel("Epoch")
    axes.set_ylabel("Loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
