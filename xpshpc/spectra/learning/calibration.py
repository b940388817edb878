"""How far a network's own error estimate may be trusted: measured on validation samples, tested on held-out ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.domain import Arrays


def count_errors(truth: Arrays, answer: Arrays) -> dict[str, NDArray[np.float64]]:
    """Sums over samples from which the calibration follows; sums of two sets add up."""
    return {}


def calibrate(sums: Arrays) -> dict[str, Any]:
    """The calibration (JSON) for a model's card, from the sums over validation samples."""
    return {}


def test_calibration(sums: Arrays, calibration: Mapping[str, Any]) -> dict[str, Any]:
    """How often the stated intervals of a calibration held on other samples (JSON)."""
    return {}
