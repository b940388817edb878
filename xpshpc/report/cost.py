"""What a run has cost and will cost, from what was measured so far. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xpshpc.store.manifest import Tally
from xpshpc.train.history import EpochFinished


@dataclass(frozen=True)
class Outlook:
    """Hours spent and still to come; None where nothing has been measured to tell it from."""

    spent_h: float | None
    to_come_h: float | None


def foresee_data(tally: Tally, pending: int) -> Outlook:
    """Core-hours of a data set: the measured seconds a sample, failed attempts included, times what is pending."""
    done = tally.samples + tally.quarantined
    return Outlook(tally.core_s / 3600, tally.core_s / done * pending / 3600 if done else None)


def foresee_training(history: Sequence[EpochFinished], epochs: int, units: int) -> Outlook:
    """Hours of `units` cores or GPUs: the mean seconds an epoch times those left of `epochs`."""
    if not history:
        return Outlook(None, None)
    seconds = sum(epoch.seconds for epoch in history)
    left = max(0, epochs - history[-1].epoch)
    return Outlook(seconds * units / 3600, seconds / len(history) * left * units / 3600)
