"""The kernel inception distance: how far apart two sets of features are, without bias even for few samples."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xpshpc.cluster.communicator import Communicator
from xpshpc.errors import UsageError

BLOCK_ROWS = 1024
"""Rows a side of a block of kernel values: enough for a full-speed matrix product, 8 MB in float64."""

SUBSETS = 100
LARGEST_SUBSET = 1000
"""Binkowski et al. draw subsets of this size; smaller sets are drawn from by halves, so that subsets differ."""


@dataclass(frozen=True)
class Kid:
    """The squared maximum mean discrepancy of two sets; about zero, of either sign, where they are of one kind.

    `value` is the estimate from all pairs. `mean` and `std` are those of estimates from `subsets` random subsets with
    `subset_size` samples of either set; they are None where a set is too small to be halved.
    """

    value: float
    mean: float | None
    std: float | None
    subsets: int
    subset_size: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class _Pair(NamedTuple):
    """A block of kernel values: which two sets, where the rows of each begin."""

    sets: tuple[int, int]
    starts: tuple[int, int]


def kernel_distance(
    a: NDArray[Any], b: NDArray[Any], communicator: Communicator, *, seed: int = 0, block_rows: int = BLOCK_ROWS
) -> Kid:
    """The unbiased estimate of MMD² with the kernel (x·y/d + 1)³ between `a` (n, d) and `b` (m, d).

    Every rank holds all rows and takes its share of the blocks; any number of ranks finds the same bits. All pairs are
    visited once, also for the subsets: d·(n + m)² operations. Binkowski et al., ICLR 2018, arXiv:1801.01401.
    Raises UsageError for sets of fewer than two rows, values that are not finite, or unequal dimension.
    """
    rows = (a, b)
    _check(rows)
    size = min(LARGEST_SUBSET, min(len(a), len(b)) // 2)
    subsets = SUBSETS if size >= 2 else 0
    members = tuple(_draw_members(len(rows[side]), subsets, size, (seed, side)) for side in (0, 1))
    pairs = _pairs(len(a), len(b), block_rows)
    mine = [
        _sum_block(rows, members, pair, block_rows) for pair in pairs[communicator.rank :: communicator.size]
    ] or np.empty((0, 1 + subsets))
    sums = np.empty((len(pairs), 1 + subsets))
    for rank, found in enumerate(communicator.gather(np.asarray(mine))):
        sums[rank :: communicator.size] = found
    within_a, between, within_b = (
        sums[[pair.sets == sets for pair in pairs]].sum(axis=0) for sets in ((0, 0), (0, 1), (1, 1))
    )
    n, m = (np.concatenate([[len(each)], np.full(subsets, size)]) for each in rows)
    estimates = within_a / (n * (n - 1)) + within_b / (m * (m - 1)) - 2 * between / (n * m)
    return Kid(
        value=float(estimates[0]),
        mean=float(estimates[1:].mean()) if subsets else None,
        std=float(estimates[1:].std()) if subsets else None,
        subsets=subsets,
        subset_size=size if subsets else 0,
    )


def _draw_members(n: int, subsets: int, size: int, seed: tuple[int, int]) -> NDArray[np.float64]:
    """Which of n rows are in the whole set (all, first row) and in each subset: 1 or 0, (1 + subsets, n)."""
    members = np.zeros((1 + subsets, n))
    members[0] = 1
    random = np.random.default_rng(seed)
    for subset in members[1:]:
        subset[random.permutation(n)[:size]] = 1
    return members


def _pairs(n: int, m: int, block_rows: int) -> list[_Pair]:
    starts = range(0, n, block_rows), range(0, m, block_rows)
    return [
        _Pair((one, other), (i, j))
        for one, other in ((0, 0), (0, 1), (1, 1))
        for i, j in product(starts[one], starts[other])
        if one != other or i <= j
    ]


def _sum_block(
    rows: tuple[NDArray[Any], NDArray[Any]], members: tuple[NDArray[np.float64], ...], pair: _Pair, block_rows: int
) -> NDArray[np.float64]:
    """The kernel's sum over a block for the whole set and for each subset; twice that of its mirror, no row by itself.

    Members are rows of ones and zeros, so the sums of all subsets are one matrix product.
    """
    (one, other), (i, j) = pair
    left = np.asarray(rows[one][i : i + block_rows], dtype=np.float64)
    right = np.asarray(rows[other][j : j + block_rows], dtype=np.float64)
    kernel = left @ right.T
    kernel /= left.shape[1]
    kernel += 1
    kernel *= kernel * kernel
    weight = 1.0
    if one == other:
        if i == j:
            np.fill_diagonal(kernel, 0)
        else:
            weight = 2.0
    chosen_left, chosen_right = members[one][:, i : i + block_rows], members[other][:, j : j + block_rows]
    sums: NDArray[np.float64] = weight * np.einsum("sj,sj->s", chosen_left @ kernel, chosen_right)
    return sums


def _check(rows: tuple[NDArray[Any], NDArray[Any]]) -> None:
    for each, where in zip(rows, ("first set", "second set"), strict=True):
        if len(each) < 2:
            raise UsageError(f"{len(each)} row(s): a kernel distance needs at least two", where=where)
        if not np.isfinite(each).all():
            raise UsageError("features that are not finite (NaN or infinite)", where=where)
    if rows[0].shape[1] != rows[1].shape[1]:
        raise UsageError(
            f"the sets have {rows[0].shape[1]} and {rows[1].shape[1]} features",
            try_="compare features of one and the same extractor",
        )
