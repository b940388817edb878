"""Which samples make which batch: an order that a seed decides, and the number of ranks does not.

An epoch permutes the shards and deals them to lanes. A lane reads a few of its shards at a time, permutes their rows
together, and yields them as one stream. A global batch is the next rows of every lane, lane after lane; each rank makes
the slice of it that is its own, and reads only the lanes that the slice touches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError

MOST_LANES = 16
SHARDS_PER_LANE = 32
"""A lane's end leaves up to a shard over each epoch: few lanes, and many shards in each, keep that to some percent."""

_SHARD_ORDER, _ROW_ORDER = 0, 1


class ShardReader(Protocol):
    """What batches are read from."""

    def read_shard(self, number: int, names: Sequence[str]) -> Mapping[str, NDArray[Any]]:
        """The valid rows of a shard."""
        ...


@dataclass(frozen=True)
class RankSlice:
    """Rank `rank` of `size` that share each global batch evenly."""

    rank: int
    size: int


@dataclass(frozen=True)
class Batch:
    """One rank's rows of a global batch, from row `first` on: arrays by name, and the shard of each row."""

    step: int
    first: int
    rows: dict[str, NDArray[Any]]
    shards: NDArray[np.int64]


@dataclass(frozen=True)
class Order:
    """The batches of every epoch: a pure function of the shards' valid rows, the seed and the batch size.

    `rows` maps shard number to its number of valid rows.
    """

    rows: Mapping[int, int]
    seed: int
    global_batch: int
    buffer_shards: int

    def __post_init__(self) -> None:
        if sum(self.rows.values()) < self.global_batch:
            raise UsageError(
                f"{sum(self.rows.values())} training samples do not fill one batch of {self.global_batch}",
                where="train.global_batch",
                try_="a smaller global_batch, or more samples",
            )

    @cached_property
    def lanes(self) -> int:
        """How many streams run side by side: a power of two that divides the batch."""
        fewest = min(self.rows.values())
        lanes = 1
        for wider in (2**power for power in range(1, MOST_LANES.bit_length())):
            enough_shards = len(self.rows) >= wider * SHARDS_PER_LANE
            even = self.global_batch % wider == 0
            # Even a lane of the smallest shards must fill its part of one batch.
            if enough_shards and even and len(self.rows) // wider * fewest >= self.global_batch // wider:
                lanes = wider
        return lanes

    def lane_shards(self, epoch: int) -> list[list[int]]:
        """Each lane's shards of an epoch, in the order in which it reads them."""
        shards = np.array(sorted(self.rows))
        np.random.default_rng((self.seed, _SHARD_ORDER, epoch)).shuffle(shards)
        return [[int(shard) for shard in shards[lane :: self.lanes]] for lane in range(self.lanes)]

    def steps(self, epoch: int) -> int:
        """Whole global batches of an epoch. What is left over at the end differs from epoch to epoch."""
        share = self.global_batch // self.lanes
        return min(sum(self.rows[shard] for shard in lane) // share for lane in self.lane_shards(epoch))

    def permutation(self, epoch: int, lane: int, group: int, rows: int) -> NDArray[np.int64]:
        """The order of the rows of a lane's `group`-th handful of shards."""
        return np.random.default_rng((self.seed, _ROW_ORDER, epoch, lane, group)).permutation(rows)


def read_batches(
    order: Order, reader: ShardReader, names: Sequence[str], epoch: int, mine: RankSlice, first_step: int = 0
) -> Iterator[Batch]:
    """A rank's batches of an epoch from `first_step` on; shards that lie before it are not read.

    Raises UsageError where the ranks cannot share a batch evenly.
    """
    check_even_share(order.global_batch, mine.size)
    share = order.global_batch // order.lanes
    local = order.global_batch // mine.size
    start = mine.rank * local
    streams: list[tuple[_LaneStream, int, int]] = []
    for lane, shards in enumerate(order.lane_shards(epoch)):
        low, high = max(start, lane * share), min(start + local, (lane + 1) * share)
        if low < high:
            stream = _LaneStream(order, reader, names, epoch, lane, shards)
            stream.skip(first_step * share)
            streams.append((stream, low - lane * share, high - lane * share))
    for step in range(first_step, order.steps(epoch)):
        parts = [stream.take(share, low, high) for stream, low, high in streams]
        rows = {name: _joined([part[0][name] for part in parts]) for name in names}
        yield Batch(step, start, rows, _joined([part[1] for part in parts]))


def check_even_share(global_batch: int, ranks: int) -> None:
    """Raises UsageError where a batch cannot be divided among the ranks."""
    if global_batch % ranks:
        raise UsageError(
            f"a global batch of {global_batch} cannot be shared evenly by {ranks} ranks",
            where="train.global_batch",
            try_=f"{max(1, round(global_batch / ranks)) * ranks}, or another number of ranks",
        )


class _LaneStream:
    """The rows of a lane's shards, a permuted handful after the other."""

    def __init__(
        self, order: Order, reader: ShardReader, names: Sequence[str], epoch: int, lane: int, shards: Sequence[int]
    ) -> None:
        self._order, self._reader, self._names = order, reader, names
        self._epoch, self._lane = epoch, lane
        size = order.buffer_shards
        self._groups = [shards[at : at + size] for at in range(0, len(shards), size)]
        self._next_group = 0
        self._buffer: dict[str, NDArray[Any]] = {}
        self._shards = self._places = np.empty(0, np.int64)
        self._at = 0

    def skip(self, rows: int) -> None:
        """Passes over rows, without reading the groups that lie before them whole."""
        while self._next_group < len(self._groups) and rows >= self._group_rows(self._next_group):
            rows -= self._group_rows(self._next_group)
            self._next_group += 1
        if rows:
            self._read_group()
            self._at = rows

    def take(self, rows: int, low: int, high: int) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64]]:
        """The next `rows` rows, of which those from `low` to `high` are returned with their shards."""
        parts: list[tuple[dict[str, NDArray[Any]], NDArray[np.int64]]] = []
        taken = 0
        while taken < rows:
            if self._at == len(self._places):
                self._read_group()
            here = min(rows - taken, len(self._places) - self._at)
            first, last = max(low - taken, 0), min(high - taken, here)
            if first < last:
                places = self._places[self._at + first : self._at + last]
                parts.append(({name: self._buffer[name][places] for name in self._names}, self._shards[places]))
            self._at += here
            taken += here
        return {name: _joined([part[0][name] for part in parts]) for name in self._names}, _joined(
            [part[1] for part in parts]
        )

    def _group_rows(self, group: int) -> int:
        return sum(self._order.rows[shard] for shard in self._groups[group])

    def _read_group(self) -> None:
        group = self._groups[self._next_group]
        self._buffer = {}  # the old handful goes before the new one comes: half the memory
        read = [self._reader.read_shard(shard, self._names) for shard in group]
        self._buffer = {name: _joined([shard[name] for shard in read]) for name in self._names}
        self._shards = np.repeat(np.array(group, np.int64), [self._order.rows[shard] for shard in group])
        self._places = self._order.permutation(self._epoch, self._lane, self._next_group, len(self._shards))
        self._next_group += 1
        self._at = 0


def _joined(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
