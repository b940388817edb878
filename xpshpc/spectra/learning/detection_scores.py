"""How well elements are detected: who is in the sample, and who is said to be, from several fractions on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.domain import Arrays
from xpshpc.spectra.learning.ratio import divide, mean_of_known

THRESHOLDS = {"0.5": 0.005, "1": 0.01, "2": 0.02, "5": 0.05}
"""Atomic fractions from which on an element counts as detected, ascending, by their name in at.%."""

USUAL = "1"
"""The threshold that stands for all where a single one is told, at.%."""

USUAL_LEVEL = 1 + list(THRESHOLDS).index(USUAL)

_LEVELS = len(THRESHOLDS) + 1


@dataclass(frozen=True)
class Counts:
    """Samples that hold an element and are said to (found), that do not but are said to (false), and the reverse."""

    found: float
    false: float
    missed: float

    @property
    def precision(self) -> float | None:
        return divide(self.found, self.found + self.false)

    @property
    def recall(self) -> float | None:
        return divide(self.found, self.found + self.missed)

    @property
    def f1(self) -> float | None:
        return divide(2 * self.found, 2 * self.found + self.false + self.missed)

    def as_json(self) -> dict[str, float | None]:
        return {"precision": self.precision, "recall": self.recall, "f1": self.f1}


def reach_levels(fractions: NDArray[Any]) -> NDArray[np.int8]:
    """How many thresholds each fraction reaches.

    Compared in single precision, in which fractions are stored: there 2 at.% is not less than 2 at.%.
    """
    single = np.asarray(fractions, np.float32)
    levels = np.zeros(single.shape, np.int8)
    for threshold in THRESHOLDS.values():
        levels += single >= np.float32(threshold)
    return levels


def count_detections(true: NDArray[np.int8], told: NDArray[np.int8]) -> dict[str, NDArray[np.float64]]:
    """Sums over samples, (elements, levels, levels): how often an element at one level was told at another.

    `true` and `told` are levels, (n, elements).
    """
    elements = true.shape[1]
    # A code is below 2¹⁵ for more elements than there are, and a narrow one is made faster.
    code = _LEVELS**2 * np.arange(elements, dtype=np.int16) + _LEVELS * true + told
    counts = np.bincount(code.ravel(), minlength=elements * _LEVELS**2)
    return {"detection.levels": counts.astype(np.float64).reshape(elements, _LEVELS, _LEVELS)}


def element_detections(sums: Arrays) -> list[dict[str, Counts]]:
    """For each element its counts by threshold."""
    levels = sums["detection.levels"]
    return [{name: _counts(element, level) for level, name in enumerate(THRESHOLDS, start=1)} for element in levels]


def summarise_detections(elements: Sequence[Mapping[str, Counts]]) -> dict[str, dict[str, float | None]]:
    """By threshold: means over the elements that the samples hold (macro), and the scores of all counts together.

    An element that is never named has no precision and does not enter its mean; one that no sample holds enters only
    `precision_micro` and `f1_micro`, where it is named.
    """
    told = {}
    for name in THRESHOLDS:
        counts = [element[name] for element in elements]
        held = [one for one in counts if one.found + one.missed]
        together = Counts(
            sum(one.found for one in counts), sum(one.false for one in counts), sum(one.missed for one in counts)
        )
        told[name] = {
            "precision": mean_of_known(one.precision for one in held),
            "recall": mean_of_known(one.recall for one in held),
            "f1": mean_of_known(one.f1 for one in held),
            **{f"{score}_micro": value for score, value in together.as_json().items()},
        }
    return told


def _counts(levels: NDArray[np.float64], level: int) -> Counts:
    return Counts(
        found=float(levels[level:, level:].sum()),
        false=float(levels[:level, level:].sum()),
        missed=float(levels[level:, :level].sum()),
    )
