"""Which elements are taken for which others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.domain import Arrays
from xpshpc.spectra.learning.detection_scores import USUAL_LEVEL
from xpshpc.spectra.learning.ratio import divide

MOST_PAIRS = 20

_DIGITS = 12
"""Shares that are equal to so many digits stand in the order of the elements, however the sums were rounded."""


def count_confusions(
    error: NDArray[np.float64], true: NDArray[np.int8], told: NDArray[np.int8]
) -> dict[str, NDArray[np.float64]]:
    """Sums over samples, (elements, elements): fractions moved from the first element to the second, and swaps.

    A sample tells how much each element has too little and each has too much, not which went where. So what is missed
    of one goes to the others in proportion to what they have too much: from j to i, under_j · over_i / Σ over. All that
    moves in a sample is 1 − its accuracy. A swap is a sample in which j, there with 1 at.% or more, is told below, and
    i the other way round. `true` and `told` are levels, (n, elements), as is `error`.
    """
    over = np.maximum(error, 0.0)
    under = over - error
    too_much, too_little = over.sum(axis=1), under.sum(axis=1)
    # Where an answer's sum is 1 to rounding only, both sides count half.
    moved = 0.5 * (too_much + too_little)
    weight = np.divide(moved, too_much * too_little, out=np.zeros_like(moved), where=too_much * too_little > 0)
    there, named = true >= USUAL_LEVEL, told >= USUAL_LEVEL
    return {
        "confusion.moved": (under * weight[:, None]).T @ over,
        # Counts below 2²⁴ are exact in single precision.
        "confusion.swapped": ((there & ~named).astype(np.float32).T @ (named & ~there).astype(np.float32)).astype(
            np.float64
        ),
    }


def list_confusions(sums: Arrays, present: NDArray[np.float64], elements: Sequence[str]) -> list[dict[str, Any]]:
    """The strongest pairs, at most 20, each with its direction: `missed` lost what `named` got.

    `share` is of all that moved; `at_percent_per_sample` is moved on average in the `samples` that hold the missed
    element, `reverse_at_percent_per_sample` the other way in those that hold the named one. `times_chance` compares
    with what would have moved if all elements were taken for the named one alike. `present` counts the samples that
    hold each element.
    """
    moved, swapped = sums["confusion.moved"], sums["confusion.swapped"]
    total, got = float(moved.sum()), moved.sum(axis=0)
    if total <= 0:
        return []
    shares = np.round(moved / total, _DIGITS)
    strongest = [divmod(int(place), len(elements)) for place in np.argsort(-shares, axis=None, kind="stable")]
    return [
        {
            "missed": elements[j],
            "named": elements[i],
            "share": float(moved[j, i]) / total,
            "at_percent_per_sample": _per_sample(float(moved[j, i]), float(present[j])),
            "reverse_at_percent_per_sample": _per_sample(float(moved[i, j]), float(present[i])),
            "samples": round(float(present[j])),
            "swapped": round(float(swapped[j, i])),
            "times_chance": float(moved[j, i] * (total - got[j]) / (moved[j].sum() * got[i])),
        }
        for j, i in strongest[:MOST_PAIRS]
        if shares[j, i] > 0
    ]


def _per_sample(moved: float, samples: float) -> float | None:
    return divide(100 * moved, samples)
