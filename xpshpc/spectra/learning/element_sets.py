"""Whether a sample's elements are the right ones, and how many concentrations come near.

As Simperl and Werner judge answers on compounds (J. Appl. Phys. 138, 154901, 2025).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.domain import Arrays
from xpshpc.spectra.learning.detection_scores import THRESHOLDS, USUAL
from xpshpc.spectra.learning.ratio import divide

NEAR = 0.2
"""Largest error of a concentration that is near the truth, as a share of it."""

_NEAR_FROM = {"1": 0.01, "5": 0.05}
"""Atomic fractions from which on the near ones are also counted by themselves, by their name in at.%."""


def count_sets(
    true: NDArray[np.int8], told: NDArray[np.int8], held: NDArray[np.bool_]
) -> dict[str, NDArray[np.float64]]:
    """Sums over samples, (thresholds,): equal sets at each threshold, and answers that name all that is held.

    `true` and `told` are levels; `held` tells what is in a sample, however little. All are (n, elements).
    """
    above = [(true > level, told > level) for level in range(len(THRESHOLDS))]
    return {
        "set.same": np.array([_equal_rows(in_truth, in_answer) for in_truth, in_answer in above]),
        "set.whole": np.array([_equal_rows(held, in_answer) for _, in_answer in above]),
    }


def count_near(fraction: NDArray[np.float64], error: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Sums over the elements that samples hold, true fraction and error (held,): all, and those near the truth."""
    near = np.abs(error) <= NEAR * fraction
    single = fraction.astype(np.float32)
    classes = [np.ones_like(near), *(single >= np.float32(least) for least in _NEAR_FROM.values())]
    return {
        "near.all": np.array([np.count_nonzero(members) for members in classes], np.float64),
        "near.near": np.array([np.count_nonzero(members & near) for members in classes], np.float64),
    }


def summarise_sets(sums: Arrays, samples: float) -> dict[str, Any]:
    """Shares of samples whose set of elements is `correct`: that from a threshold on, in the truth and in the answer.

    `correct_of_all` compares the answer's set with everything that is in the sample, traces too.
    """
    by_threshold = {
        name: {"correct": float(same) / samples, "correct_of_all": float(whole) / samples}
        for name, same, whole in zip(THRESHOLDS, sums["set.same"], sums["set.whole"], strict=True)
    }
    return {"correct": by_threshold[USUAL]["correct"], "by_threshold": by_threshold}


def summarise_near(sums: Arrays) -> dict[str, Any]:
    """The share of concentrations (an element that a sample holds) told to within 20 %; then from a fraction on."""
    shares = [
        divide(float(near), float(count)) for near, count in zip(sums["near.near"], sums["near.all"], strict=True)
    ]
    counts = [round(float(count)) for count in sums["near.all"]]
    return {
        "share": shares[0],
        "concentrations": counts[0],
        "by_threshold": {
            name: {"share": share, "concentrations": count}
            for name, share, count in zip(_NEAR_FROM, shares[1:], counts[1:], strict=True)
        },
    }


def _equal_rows(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float(np.count_nonzero(np.all(one == other, axis=1)))
