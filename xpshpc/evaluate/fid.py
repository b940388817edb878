"""The Fréchet distance of two sets of features that ranks share, and what tells whether it is more than chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.cluster.communicator import Communicator
from xpshpc.evaluate.frechet import FrechetDistance, frechet_distance
from xpshpc.evaluate.pool import pool, pool_marked

SMALLEST_HALF = 2


@dataclass(frozen=True)
class Fid:
    """A Fréchet distance between A and B, and that between two random halves of A, with what they were found by.

    A distance between A and B below that of the halves cannot be told from none; `halves` is None where A is too small
    to be halved.
    """

    distance: FrechetDistance
    halves: FrechetDistance | None


def fid(a: NDArray[Any], b: NDArray[Any], communicator: Communicator, *, seed: int = 0) -> Fid:
    """The Fréchet distance between the rows of all ranks, each rank's (n, d) following the last one's.

    Every rank returns the same; moments are merged, so that any number of ranks finds it to rounding. `seed` draws A's
    halves. Raises UsageError for fewer than two rows, values that are not finite, or unequal dimension.
    """
    counts = np.concatenate(communicator.gather(np.array([len(a)])))
    total, first = int(counts.sum()), int(counts[: communicator.rank].sum())
    in_half = np.zeros(total, dtype=bool)
    in_half[np.random.default_rng(seed).permutation(total)[: total // 2]] = True
    parts = pool_marked(a, in_half[first : first + len(a)], communicator)
    distance = frechet_distance(parts.whole, pool(b, communicator))
    halves = frechet_distance(parts.chosen, parts.others) if total >= 2 * SMALLEST_HALF else None
    return Fid(distance, halves)
