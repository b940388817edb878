"""The history of two networks that train each other, as a training leaves it."""

from __future__ import annotations

from xpshpc.train.history import EpochFinished
from xpshpc.train.rivalry import Trouble


def rival_epoch(number: int, *, epochs: int = 3, warned: bool = False) -> EpochFinished:
    """An epoch whose numbers are each unlike any other, so that every one is found where it is told."""
    validation = {
        "loss": 1.9 + number / 100,
        "d_loss": 1.2 + number / 100,
        "g_loss": 0.7 + number / 100,
        "real_score": 0.6 + number / 100,
        "fake_score": 0.3 + number / 100,
        "diversity": 0.8 + number / 100,
    }
    warnings = (Trouble.COLLAPSED.value,) if warned else ()
    return EpochFinished(number, epochs, 2.5, validation, 1.5, 1300.0, 2e-4, 0.02, warnings)
