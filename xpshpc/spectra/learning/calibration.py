"""How far a network's own error estimate may be trusted: measured on validation samples, tested on held-out ones.

A network names a fraction y of an element and a spread b, the error that it expects. Errors in units of it,
r = |t − y| / (b + floor), are counted over samples that training did not learn from; the interval y ± q·(b + floor)
holds the truth t as often as r ≤ q did (split conformal prediction: Lei et al. 2018, 10.1080/01621459.2017.1307116;
Angelopoulos & Bates, arXiv:2107.07511). Most elements are absent from a sample and found absent, so that one factor q
for all would say nothing of those that are there: each range of the answer y has its own.

What is promised holds for samples like those that were counted: simulated ones of the same job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from xpshpc.domain import Arrays
from xpshpc.spectra.learning.names import COMPOSITION, SPREAD

RANGES = ((0.0, 0.001), (0.001, 0.005), (0.005, 0.02), (0.02, 0.1), (0.1, 0.4), (0.4, 1.0))
"""Of the answer, atomic fractions, the upper end left out but for the last."""

NAMED_FROM = RANGES[1][0]
"""Atomic fraction from which on an answer is told to people."""

LEVELS = (0.5, 0.68, 0.9, 0.95)
FLOOR = 1e-4
"""Atomic fraction. No interval is narrower than a few of these, however sure a network is."""

FEWEST = 50
"""Errors that a range must have counted to have factors of its own."""

METHOD = "split conformal: |truth - answer| / (spread + floor), by range of the answer"

_LOWEST, _HIGHEST, _PER_DECADE = -4, 4, 100
EDGES = np.logspace(_LOWEST, _HIGHEST, (_HIGHEST - _LOWEST) * _PER_DECADE + 1)
"""Of the bins in which r is counted. A factor is an upper edge: at most 2.4 % too wide, never too narrow."""

_BINS = len(EDGES) + 1
_ERRORS, _SPREAD = "calibration.errors", "calibration.spread"


class Calibration(BaseModel):
    """The factors that turn a network's spread into intervals, as a model's card tells them.

    `factors` are by range and level; None where nothing can be promised. `n` are the errors counted in each range: one
    with fewer than `fewest` has the largest factor of its neighbours.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    method: str = METHOD
    floor: float = Field(gt=0)
    ranges: tuple[tuple[float, float], ...] = Field(min_length=1)
    levels: tuple[float, ...]
    factors: tuple[tuple[float | None, ...], ...]
    n: tuple[int, ...]
    fewest: int

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        shape = (len(self.ranges), len(self.levels))
        if (len(self.factors), len(self.n)) != (shape[0], shape[0]) or {len(row) for row in self.factors} != {shape[1]}:
            raise ValueError(f"a calibration of {shape[0]} ranges and {shape[1]} levels has other factors")
        if any(before[1] != after[0] for before, after in zip(self.ranges, self.ranges[1:], strict=False)):
            raise ValueError("the ranges of a calibration do not follow one another")
        return self

    def half_width(self, composition: NDArray[Any], spread: NDArray[Any], level: float) -> NDArray[np.float64]:
        """Half the width of the interval of each answer, (n, elements), atomic fraction; NaN where nothing is claimed.

        Raises ValueError for a level that was not calibrated.
        """
        column = self.levels.index(level)
        factors = np.array([np.nan if row[column] is None else row[column] for row in self.factors], np.float64)
        return factors[_place(composition, self.ranges)] * (np.asarray(spread, np.float64) + self.floor)


def count_errors(truth: Arrays, answer: Arrays) -> dict[str, NDArray[np.float64]]:
    """Sums over samples from which the calibration follows; sums of two sets add up.

    Counts of r by presence of the element (0 absent, 1 present), range of the answer and bin; and the sums of
    spread + floor by presence and range.
    """
    true, said = (np.asarray(told[COMPOSITION], np.float64) for told in (truth, answer))
    unit = np.asarray(answer[SPREAD], np.float64) + FLOOR
    group = ((true > 0) * len(RANGES) + _place(said, RANGES)).ravel()
    r = (np.abs(true - said) / unit).ravel()
    groups = 2 * len(RANGES)
    counts = np.bincount(group * _BINS + np.digitize(r, EDGES, right=True), minlength=groups * _BINS)
    spreads = np.bincount(group, weights=unit.ravel(), minlength=groups)
    return {
        _ERRORS: counts.astype(np.float64).reshape(2, len(RANGES), _BINS),
        _SPREAD: spreads.astype(np.float64).reshape(2, len(RANGES)),
    }


def calibrate(sums: Arrays) -> dict[str, Any]:
    """The calibration (JSON) for a model's card, from the sums over validation samples.

    The factor of n errors is their ⌈(n + 1)·level⌉-th smallest one, which holds for one more sample of their kind with
    at least that probability. A range with fewer than 50 errors takes the largest factor of the nearest ranges on
    either side that have more; where no range has, nothing is promised.
    """
    counts = np.asarray(sums[_ERRORS]).sum(axis=0)
    own = [[_factor(counted, level) for level in LEVELS] if counted.sum() >= FEWEST else None for counted in counts]
    return Calibration(
        floor=FLOOR,
        ranges=RANGES,
        levels=LEVELS,
        factors=tuple(tuple(_own_or_neighbours(own, place)) for place in range(len(own))),
        n=tuple(round(float(counted.sum())) for counted in counts),
        fewest=FEWEST,
    ).model_dump(mode="json")


def test_calibration(sums: Arrays, calibration: Mapping[str, Any]) -> dict[str, Any]:
    """How often the stated intervals of a calibration held on other samples (JSON).

    `coverage` has the share of true fractions inside, for each level: of the elements named with 0.1 at.% and more, of
    those that are in the samples, and by range of the answer; None where no such answer had an interval.
    `mean_half_width` (atomic fraction) is by range and level. Empty for a calibration of other ranges.
    """
    told = Calibration.model_validate(calibration)
    if told.ranges != RANGES or told.floor != FLOOR:
        return {}
    counts, spreads = np.asarray(sums[_ERRORS]), np.asarray(sums[_SPREAD])
    answers = counts.sum(axis=-1)
    factors = np.array(told.factors, np.float64)  # None becomes NaN
    claimed = np.isfinite(factors)
    reached = np.minimum(np.searchsorted(EDGES, np.where(claimed, factors, 0.0), side="right") - 1, len(EDGES) - 1)
    below = np.cumsum(counts, axis=-1)
    held = np.take_along_axis(below, np.maximum(reached, 0)[np.newaxis], axis=-1) * claimed
    asked = answers[..., np.newaxis] * claimed
    named = [place for place, (low, _) in enumerate(RANGES) if low >= NAMED_FROM]
    width = factors * (spreads.sum(axis=0) / np.maximum(answers.sum(axis=0), 1))[:, np.newaxis]
    return {
        "levels": list(told.levels),
        "ranges": [list(bounds) for bounds in RANGES],
        "coverage": {
            "named": _shares(held[:, named].sum(axis=(0, 1)), asked[:, named].sum(axis=(0, 1))),
            "present": _shares(held[1].sum(axis=0), asked[1].sum(axis=0)),
            "by_range": [_shares(*pair) for pair in zip(held.sum(axis=0), asked.sum(axis=0), strict=True)],
        },
        "mean_half_width": [
            [float(value) if n and np.isfinite(value) else None for value in row]
            for row, n in zip(width, answers.sum(axis=0), strict=True)
        ],
        "n": {
            "named": round(float(answers[:, named].sum())),
            "present": round(float(answers[1].sum())),
            "by_range": [round(float(n)) for n in answers.sum(axis=0)],
        },
    }


def _place(fractions: NDArray[Any], ranges: Sequence[tuple[float, float]]) -> NDArray[np.intp]:
    """The range in which each fraction lies."""
    return np.digitize(np.asarray(fractions, np.float64), [low for low, _ in ranges[1:]])


def _factor(counted: NDArray[np.float64], level: float) -> float | None:
    rank = ceil((counted.sum() + 1) * level)
    place = int(np.searchsorted(np.cumsum(counted), rank))
    return float(EDGES[place]) if place < len(EDGES) else None


def _own_or_neighbours(own: Sequence[list[float | None] | None], place: int) -> list[float | None]:
    mine = own[place]
    if mine is not None:
        return mine
    sides = (own[place::-1], own[place:])
    near = [found for found in (next((row for row in side if row is not None), None) for side in sides) if found]
    known = [[factor for row in near if (factor := row[column]) is not None] for column in range(len(LEVELS))]
    return [max(factors, default=None) for factors in known]


def _shares(parts: NDArray[np.float64], wholes: NDArray[np.float64]) -> list[float | None]:
    return [float(part / whole) if whole else None for part, whole in zip(parts, wholes, strict=True)]
