"""Samples to shards, and shards to their use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpshpc.config import Generate, Split
from xpshpc.errors import UsageError


@dataclass(frozen=True, order=True)
class Shard:
    """A run of samples that one task makes and one commit stores: samples `start` to `stop` (left out)."""

    number: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def indices(self) -> NDArray[np.int64]:
        return np.arange(self.start, self.stop, dtype=np.int64)


@dataclass(frozen=True)
class Plan:
    """All shards of a data set. They are computed when asked for: a plan of a billion samples costs nothing to hold."""

    samples: int
    shard_samples: int
    data_hash: str

    def __len__(self) -> int:
        return -(-self.samples // self.shard_samples)

    def __getitem__(self, number: int) -> Shard:
        if not 0 <= number < len(self):
            raise IndexError(number)
        start = number * self.shard_samples
        return Shard(number, start, min(start + self.shard_samples, self.samples))

    def __iter__(self) -> Iterator[Shard]:
        return (self[number] for number in range(len(self)))


def plan_shards(generate: Generate, data_hash: str) -> Plan:
    """The shards of a `[generate]` section."""
    return Plan(generate.samples, generate.shard_samples, data_hash)


@dataclass(frozen=True)
class ShardSplit:
    """Numbers of the shards for training, validation and evaluation: disjoint, and together all of them."""

    training: range
    validation: range
    held_out: range


def split_shards(shards: int, split: Split) -> ShardSplit:
    """Shares the shards out, at least one to each use.

    Samples are independent of their index, so the last shards are as good a held-out set as any, and a data set that
    grows keeps none of its held-out samples a secret it already told: `held_out` is always drawn from the end.
    Raises UsageError with fewer than three shards.
    """
    if shards < 3:
        raise UsageError(
            f"{shards} shard(s) cannot be split into training, validation and held-out",
            where="generate.shard_samples",
            try_="make more samples or smaller shards (at least 3 shards)",
        )
    held_out = max(1, round(shards * split.held_out))
    validation = max(1, round(shards * split.validation))
    training = shards - held_out - validation
    if training < 1:
        training, validation, held_out = shards - 2, 1, 1
    return ShardSplit(range(training), range(training, training + validation), range(training + validation, shards))
