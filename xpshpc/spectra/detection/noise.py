"""Counting noise from normal deviates, so that each channel uses up exactly one random number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

EXACT_BELOW = 12.0
"""Expected counts up to which the Poisson distribution is inverted exactly."""

_ROWS = 16
"""Spectra at a time: what they need stays in the processor's cache."""


def poisson_counts(expected: NDArray[np.floating], deviates: NDArray[np.float32]) -> NDArray[np.float32]:
    """Poisson counts (whole numbers, (n, channels)) of these expectations, driven by standard normal deviates.

    Below EXACT_BELOW the quantile Φ(deviate) is looked up in the Poisson distribution itself. Above it Temme's
    expansion of the quantile is used, to order λ^-½ (Giles, ACM Trans. Math. Softw. 42, 7, 2016, 10.1145/2699466):
    its distribution differs from the true one by less than 5e-4 in total variation.
    """
    counts = np.empty(expected.shape, dtype=np.float32)
    for start in range(0, len(expected), _ROWS):
        rows = slice(start, start + _ROWS)
        _expand_quantile(expected[rows].astype(np.float32, copy=False), deviates[rows], out=counts[rows])
    few = expected < EXACT_BELOW
    if few.any():
        counts[few] = _exact_quantile(expected[few].astype(np.float64), ndtr(deviates[few].astype(np.float64)))
    return counts


def _expand_quantile(expected: NDArray[np.float32], w: NDArray[np.float32], *, out: NDArray[np.float32]) -> None:
    """⌊λ + √λ w + w²/6 + 1/3 − (w³/72 + w/36)/√λ⌋, at least 0."""
    root = np.sqrt(np.maximum(expected, np.float32(EXACT_BELOW)))
    square = w * w
    skewness = square * np.float32(1.0 / 72.0)
    skewness += np.float32(1.0 / 36.0)
    skewness *= w
    skewness /= root
    np.multiply(root, w, out=out)
    out -= skewness
    square *= np.float32(1.0 / 6.0)
    square += np.float32(1.0 / 3.0)
    out += square
    out += expected
    np.floor(out, out=out)
    np.maximum(out, np.float32(0.0), out=out)


def _exact_quantile(expected: NDArray[np.float64], probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smallest n with P(N ≤ n) ≥ probability, for small expectations (n,)."""
    term = np.exp(-expected)
    cumulative = term.copy()
    counts = np.zeros(len(expected))
    unsettled = np.arange(len(expected))
    for n in range(1, 80):
        higher = probability[unsettled] > cumulative
        unsettled, term, cumulative = unsettled[higher], term[higher], cumulative[higher]
        if not unsettled.size:
            break
        counts[unsettled] = n
        term *= expected[unsettled] / n
        cumulative += term
    return counts
