"""The loss curve on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from xpshpc.report.labels import write_label
from xpshpc.report.quantities import write_value
from xpshpc.report.rivals import LOSSES, are_rivals
from xpshpc.report.text_chart import Curve, draw_chart
from xpshpc.train.history import EpochFinished

_NARROWEST = 40
_BARS = " ▁▂▃▄▅▆▇█"


def draw_loss(history: Sequence[EpochFinished], *, width: int, height: int = 13, colour: bool = True) -> str:
    """Training and validation loss against the epoch, as lines of text at most `width` characters wide.

    Of two networks that train each other, the validation loss of each is drawn in their place. Under 40 characters, or
    with a single epoch, one line of bars is drawn instead. Colours are ANSI sequences. An empty history gives an empty
    text.
    """
    if not history:
        return ""
    training = [epoch.loss for epoch in history]
    if width < _NARROWEST or len(history) < 2:
        return f"loss {draw_bars(training)} {write_value(training[-1], 4)}"
    if are_rivals(history[-1].validation):
        losses = {write_label(name): _validation(history, name) for name in LOSSES}
    else:
        losses = {"training": training, "validation": _validation(history, "loss")}
    epochs = [epoch.epoch for epoch in history]
    curves = [
        Curve(f"{name} {write_value(values[-1], 4)}", epochs, values)
        for name, values in losses.items()
        if any(value == value for value in values)
    ]
    return "\n".join(draw_chart(curves, width=width, height=height, x_label="epoch", y_label="loss", colour=colour))


def _validation(history: Sequence[EpochFinished], name: str) -> list[float]:
    return [epoch.validation.get(name, float("nan")) for epoch in history]


def draw_bars(values: Sequence[float]) -> str:
    """Values as a row of bars, the largest one full."""
    largest = max(values)
    if not largest > 0:
        return _BARS[1] * len(values)
    return "".join(_BARS[max(1, round(8 * value / largest))] for value in values)
