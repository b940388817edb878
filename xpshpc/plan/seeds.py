"""Random numbers by counter: each sample index has its own stream, whoever draws it and in whatever order.

Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC'11, 10.1145/2063384.2063405): the counter holds the place of the draw in
its stream, the purpose of the stream and the sample's index; the key holds the job's seed. Nothing is carried from one
draw to the next, so a whole shard is drawn in one vectorised call.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = 0x9E3779B9
_WEYL_1 = 0xBB67AE85
_LOW = np.uint64(0xFFFFFFFF)
_HALF_WORD = np.uint64(32)


def philox4x32(
    counter: tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]], key: tuple[int, int]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]:
    """Ten rounds of Philox4x32: four 32-bit words (held in uint64 arrays that broadcast together) for each counter."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        product_0 = c0 * _MULTIPLIER_0
        product_1 = c2 * _MULTIPLIER_1
        c0 = (product_1 >> _HALF_WORD) ^ c1 ^ np.uint64(k0)
        c2 = (product_0 >> _HALF_WORD) ^ c3 ^ np.uint64(k1)
        c1 = product_1 & _LOW
        c3 = product_0 & _LOW
        k0 = (k0 + _WEYL_0) & 0xFFFFFFFF
        k1 = (k1 + _WEYL_1) & 0xFFFFFFFF
    return c0, c1, c2, c3


@dataclass(frozen=True)
class Streams:
    """The random streams of a job: one for each (purpose, sample index).

    `purpose` is a small integer that keeps independent uses apart (composition, noise, …).
    """

    seed: int

    def words(self, indices: NDArray[np.int64], purpose: int, draws: int) -> NDArray[np.uint32]:
        """Uniform 32-bit words, shape (len(indices), draws)."""
        blocks = -(-draws // 4)
        index = indices.astype(np.uint64)[:, None]
        place = np.arange(blocks, dtype=np.uint64)[None, :]
        key = (self.seed & 0xFFFFFFFF, self.seed >> 32)
        four = philox4x32((place, np.full_like(place, purpose), index & _LOW, index >> _HALF_WORD), key)
        words = np.empty((len(indices), blocks, 4), dtype=np.uint32)
        for place_in_block, word in enumerate(four):
            words[:, :, place_in_block] = word
        return words.reshape(len(indices), 4 * blocks)[:, :draws]

    def uniform(self, indices: NDArray[np.int64], purpose: int, draws: int) -> NDArray[np.float64]:
        """Uniform numbers inside (0, 1), shape (len(indices), draws)."""
        return np.asarray((self.words(indices, purpose, draws) + 0.5) * 2.0**-32, dtype=np.float64)

    def normal(self, indices: NDArray[np.int64], purpose: int, draws: int) -> NDArray[np.float32]:
        """Standard normal deviates (Box–Muller, up to 6.7 standard deviations), shape (len(indices), draws).

        They come from NumPy's Philox4x64-10, which is quicker for many draws of few samples. Its key is (seed,
        purpose); the counter's third word holds `draws` and the lower ones number the blocks of four words: sample i
        has the blocks that end with i + 1 times the blocks of a sample, so neighbours are drawn in one go.
        """
        pairs = -(-draws // 2)
        words = self._long_words(indices, purpose, -(-pairs // 4)).view(np.uint32)
        unit = np.float32(2.0**-32)
        radius, angle = words[:, :pairs].astype(np.float32), words[:, -pairs:].astype(np.float32)
        radius += np.float32(0.5)
        radius *= unit
        np.log(radius, out=radius)
        radius *= np.float32(-2.0)
        np.sqrt(radius, out=radius)
        angle *= unit * np.float32(2.0 * np.pi)
        deviates = np.empty((len(indices), 2 * pairs), dtype=np.float32)
        np.multiply(radius, np.cos(angle), out=deviates[:, :pairs])
        np.multiply(radius, np.sin(angle, out=angle), out=deviates[:, pairs:])
        return deviates[:, :draws]

    def _long_words(self, indices: NDArray[np.int64], purpose: int, blocks: int) -> NDArray[np.uint64]:
        """64-bit words of Philox4x64-10, (len(indices), 4·blocks): one call for each run of neighbouring indices."""
        words = np.empty((len(indices), 4 * blocks), dtype=np.uint64)
        key = np.array([self.seed, purpose], dtype=np.uint64)
        starts = np.flatnonzero(np.diff(indices, prepend=indices[:1] - 2) != 1)
        for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(indices)], strict=True):
            counter = (blocks << 128) + int(indices[start]) * blocks
            run = np.random.Philox(key=key, counter=counter).random_raw(words[start:end].size)
            words[start:end] = run.reshape(end - start, -1)
        return words
