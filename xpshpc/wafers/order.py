"""A shuffled order of any number of samples, of which each place is found by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpshpc.plan.seeds import Streams
from xpshpc.wafers.purposes import Purpose

ROUNDS = 8


@dataclass(frozen=True)
class Order:
    """A permutation of 0 … n − 1 that follows from the seed.

    A Feistel network whose rounds are drawn by counter permutes the square numbers of a power of two above n; places
    beyond n are followed until they fall below it (Black & Rogaway, CT-RSA 2002, 10.1007/3-540-45760-7_9). Nothing is
    stored, so an order of 10¹⁰ samples costs as little as one of ten.
    """

    n: int
    seed: int

    def places(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the samples of these indices, each from 0 to n − 1, stand before they are shuffled."""
        if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < self.n:
            raise ValueError(f"an index is outside 0 … {self.n - 1}")
        found = self._permute(np.asarray(indices, dtype=np.int64))
        beyond = np.flatnonzero(found >= self.n)
        while len(beyond):
            found[beyond] = self._permute(found[beyond])
            beyond = beyond[found[beyond] >= self.n]
        return found

    def _permute(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        half = max(1, ((self.n - 1).bit_length() + 1) // 2)
        low = np.int64((1 << half) - 1)
        streams = Streams(self.seed)
        left, right = values >> half, values & low
        for number in range(ROUNDS):
            drawn = streams.words(right, Purpose.ORDER + number, 1)[:, 0].astype(np.int64)
            left, right = right, left ^ (drawn & low)
        return (left << half) | right
