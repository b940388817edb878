"""Count, mean and scatter of rows: additive, so that blocks and ranks can be merged in any split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xpshpc.cluster.communicator import Communicator

BLOCK_ROWS = 1024
"""Rows centred at once: enough for a full-speed matrix product, little enough to stay in memory in float64."""


@dataclass(frozen=True, eq=False)
class Moments:
    """The first two moments of `n` rows in float64.

    `mean` has shape (d,); `scatter`, (d, d), is the sum of outer products of the deviations from the mean. `residue`,
    (d,), is what rounding took from the mean: with it, rows far from zero can be merged without loss.
    """

    n: int
    mean: NDArray[np.float64]
    scatter: NDArray[np.float64]
    residue: NDArray[np.float64]

    @classmethod
    def empty(cls, dimensions: int) -> Moments:
        """The moments of no row: the neutral element of `merge`."""
        return cls(0, np.zeros(dimensions), np.zeros((dimensions, dimensions)), np.zeros(dimensions))

    @classmethod
    def of(cls, rows: ArrayLike, block_rows: int = BLOCK_ROWS) -> Moments:
        """The moments of `rows`, shape (n, d), any real dtype; blocks are merged as in a balanced tree."""
        rows = np.asarray(rows)
        if len(rows) <= block_rows:
            return _of_block(rows)
        middle = -(-len(rows) // (2 * block_rows)) * block_rows
        return cls.of(rows[:middle], block_rows).merge(cls.of(rows[middle:], block_rows))

    @property
    def dimensions(self) -> int:
        return len(self.mean)

    def merge(self, other: Moments) -> Moments:
        """The moments of both sets of rows together.

        Pairwise update of Chan, Golub and LeVeque, The American Statistician 37 (1983) 242,
        DOI 10.1080/00031305.1983.10483115.
        """
        n = self.n + other.n
        if self.n == 0 or other.n == 0:
            return self if other.n == 0 else other
        step = (other.mean - self.mean) + (other.residue - self.residue)
        mean, residue = _sum_and_residue(self.mean, self.residue + step * (other.n / n))
        scatter = self.scatter + other.scatter + np.outer(step, step) * (self.n * other.n / n)
        return Moments(n, mean, scatter, residue)

    def covariance(self) -> NDArray[np.float64]:
        """The unbiased covariance, (d, d), of at least two rows."""
        return self.scatter / (self.n - 1)


def _of_block(rows: NDArray[np.generic]) -> Moments:
    if len(rows) == 0:
        return Moments.empty(rows.shape[1])
    rows = rows.astype(np.float64, copy=False)
    mean = rows.mean(axis=0)
    deviations = rows - mean
    # The mean of large values is rounded; what it missed is still in the deviations.
    missed = deviations.mean(axis=0)
    deviations -= missed
    mean, residue = _sum_and_residue(mean, missed)
    return Moments(len(rows), mean, deviations.T @ deviations, residue)


def _sum_and_residue(
    large: NDArray[np.float64], small: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    total = large + small
    return total, small - (total - large)


def merge_over_ranks(moments: Moments, communicator: Communicator) -> Moments:
    """The moments of the rows of all ranks, the same bits on each of them.

    One reduction for each moment, so that no rank ever holds more than its own scatter and the sum. The means are taken
    from the first rank's: the sum of large means would lose what tells the ranks apart.
    """
    if communicator.size == 1:
        return moments
    counts = np.concatenate(communicator.gather(np.array([moments.n], dtype=np.float64)))
    n = int(counts.sum())
    if n == 0:
        return moments
    first = int(np.flatnonzero(counts)[0])
    origin, origin_residue = communicator.broadcast(np.stack([moments.mean, moments.residue]), root=first)
    shift = (moments.mean - origin) + (moments.residue - origin_residue)
    mean_shift = communicator.allreduce(shift * moments.n, "sum") / n
    step = shift - mean_shift
    scatter = communicator.allreduce(moments.scatter + np.outer(step, step) * moments.n, "sum")
    mean, residue = _sum_and_residue(origin, origin_residue + mean_shift)
    return Moments(n, mean, scatter, residue)
