"""When a training ends: at its last epoch, or early because nothing gets better any more. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from xpshpc.config import Train
from xpshpc.train.history import EpochFinished
from xpshpc.train.metric import larger_is_better


def is_over(train: Train, history: Sequence[EpochFinished]) -> bool:
    """Whether a training with this history of whole epochs has ended.

    The history is the same on every rank and part of each checkpoint: all ranks, and resumed trainings, decide alike.
    """
    if len(history) >= train.epochs:
        return True
    early = train.early_stopping
    if early is None:
        return False
    values = [epoch.validation.get(early.metric, math.nan) for epoch in history]
    patience, gain = early.patience_epochs, early.smallest_gain
    return epochs_without_gain(values, smallest_gain=gain, largest=larger_is_better(early.metric)) >= patience


def epochs_without_gain(values: Sequence[float], *, smallest_gain: float, largest: bool) -> int:
    """Epochs since a value was better than all before it by more than `smallest_gain`; what is no number never is."""
    best, since = math.nan, 0
    for value in values:
        gain = value - best if largest else best - value
        first = math.isfinite(value) and math.isnan(best)
        if first or gain > smallest_gain:
            best, since = value, 0
        else:
            since += 1
    return since
