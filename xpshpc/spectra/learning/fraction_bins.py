"""Errors of fractions against the true fraction, over all elements."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.domain import Arrays
from xpshpc.spectra.learning.ratio import divide

EDGES_AT_PERCENT = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 99.99, 100.0)
"""Borders of the bins, which hold their lower one. Elements that are not there stand by themselves, as do pure ones."""

_INNER = np.array(EDGES_AT_PERCENT[1:-1], np.float64).astype(np.float32) / np.float32(100)
_BINS = len(EDGES_AT_PERCENT)


def bin_errors(
    absent: NDArray[np.float64], fraction: NDArray[np.float64], error: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Sums, (bins,), of errors: `absent` those of elements that are not there, `error` those at a true `fraction`."""
    place = 1 + np.searchsorted(_INNER, fraction.astype(np.float32), side="right")

    def add(of_absent: float, values: NDArray[np.float64] | None) -> NDArray[np.float64]:
        sums = np.bincount(place, values, minlength=_BINS).astype(np.float64)
        sums[0] = of_absent
        return sums

    return {
        "bins.count": add(len(absent), None),
        "bins.truth": add(0.0, fraction),
        "bins.error": add(float(absent.sum()), error),
        "bins.absolute": add(float(np.abs(absent).sum()), np.abs(error)),
        "bins.square": add(float(absent @ absent), error**2),
    }


def summarise_bins(sums: Arrays) -> list[dict[str, Any]]:
    """For each bin its borders, how many fractions it holds, their mean and errors (atomic fractions).

    The first bin is of elements that are not there. `relative` is the mean absolute error as a share of the mean true
    fraction. What holds nothing is None.
    """
    borders = [(0.0, 0.0), *pairwise(EDGES_AT_PERCENT)]
    told: list[dict[str, Any]] = []
    for place, (low, high) in enumerate(borders):
        count, truth, error, absolute, square = (
            float(sums[f"bins.{name}"][place]) for name in ("count", "truth", "error", "absolute", "square")
        )
        mean_square = divide(square, count)
        told.append(
            {
                "from_at_percent": low,
                "to_at_percent": high,
                "count": round(count),
                "mean": divide(truth, count),
                "bias": divide(error, count),
                "mae": divide(absolute, count),
                "rmse": None if mean_square is None else mean_square**0.5,
                "relative": divide(absolute, truth),
            }
        )
    return told
