"""Counting noise from normal deviates, so that each channel uses up exactly one random number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

EXACT_BELOW = 12.0
"""Expected counts up to which the Poisson distribution is inverted exactly."""


def poisson_counts(expected: NDArray[np.float64], deviates: NDArray[np.float32]) -> NDArray[np.float64]:
    """Poisson counts (whole numbers, any shape) of these expectations, driven by standard normal deviates.

    Below EXACT_BELOW the quantile Φ(deviate) is looked up in the Poisson distribution itself. Above it Temme's
    expansion of the quantile is used, to order λ^-½ (Giles, ACM Trans. Math. Softw. 42, 7, 2016, 10.1145/2699466):
    its distribution differs from the true one by less than 5e-4 in total variation.
    """
    w = deviates.astype(np.float64)
    root = np.sqrt(np.maximum(expected, EXACT_BELOW))
    square = w * w
    counts = expected + root * w
    counts += square * (1.0 / 6.0) + (1.0 / 3.0)
    counts -= w * (square * (1.0 / 72.0) + (1.0 / 36.0)) / root
    np.floor(counts, out=counts)
    np.maximum(counts, 0.0, out=counts)
    few = expected < EXACT_BELOW
    if few.any():
        counts[few] = _exact_quantile(expected[few], ndtr(w[few]))
    return counts


def _exact_quantile(expected: NDArray[np.float64], probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smallest n with P(N ≤ n) ≥ probability, for small expectations (n,)."""
    term = np.exp(-expected)
    cumulative = term.copy()
    counts = np.zeros(len(expected))
    for n in range(1, 80):
        above = probability > cumulative
        if not above.any():
            break
        counts += above
        term *= expected / n
        cumulative += term
    return counts
