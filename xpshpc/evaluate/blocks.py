"""Stored samples cut into blocks that do not depend on the number of ranks.

A network's answer to a sample may change in its last bit with the batch around it. So batches are fixed by the plan,
and ranks take whole ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from numpy.typing import NDArray

from xpshpc.config import JobFile
from xpshpc.plan.identity import data_hash
from xpshpc.plan.shards import Plan, plan_shards, split_shards
from xpshpc.store.read import Store


@dataclass(frozen=True)
class Block:
    """Rows `start` to `stop` (left out) of a shard, counted over its valid samples."""

    shard: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Work:
    """The blocks of an evaluation: the held-out samples, and those between which the Fréchet distance is taken.

    The held-out ones are of another run where its samples are asked about; the training ones are always the run's own.
    """

    held_out: tuple[Block, ...]
    frechet_held_out: tuple[Block, ...]
    frechet_training: tuple[Block, ...]

    @property
    def shards(self) -> set[int]:
        return {block.shard for block in self.held_out} | self.training_shards

    @property
    def training_shards(self) -> set[int]:
        return {block.shard for block in self.frechet_training}


def plan_work(job_file: JobFile) -> Work:
    """The blocks of a job, whatever the number of ranks."""
    job = job_file.job
    plan = plan_shards(job.generate, data_hash(job_file))
    split = split_shards(len(plan), job.split)
    held_out = cut_blocks(plan, split.held_out, job.evaluate.batch)
    if not job.evaluate.frechet:
        return Work(tuple(held_out), (), ())
    training = cut_blocks(plan, split.training, job.evaluate.batch)
    wanted = job.evaluate.frechet_samples
    return Work(tuple(held_out), tuple(spread_blocks(held_out, wanted)), tuple(spread_blocks(training, wanted)))


def cut_blocks(plan: Plan, shards: Iterable[int], rows: int) -> list[Block]:
    """The blocks of `rows` rows, or what is left at a shard's end, of these shards in order."""
    return [
        Block(number, start, min(start + rows, len(plan[number])))
        for number in shards
        for start in range(0, len(plan[number]), rows)
    ]


def spread_blocks(blocks: Sequence[Block], samples: int) -> list[Block]:
    """Evenly spaced blocks that hold `samples` samples, the last one shortened to fit; all blocks if they hold less."""
    count = min(-(-samples // max(map(len, blocks))), len(blocks))
    chosen = _space_evenly(blocks, count)
    while count < len(blocks) and sum(map(len, chosen)) < samples:
        count += 1
        chosen = _space_evenly(blocks, count)
    return take_rows(chosen, samples)


def take_rows(blocks: Iterable[Block], rows: int) -> list[Block]:
    """The first blocks, up to `rows` rows, the last one shortened to fit."""
    taken = []
    for block in blocks:
        if rows <= 0:
            break
        taken.append(Block(block.shard, block.start, min(block.stop, block.start + rows)))
        rows -= len(block)
    return taken


def share_blocks(blocks: Sequence[Block], rank: int, ranks: int) -> list[Block]:
    """The blocks of one rank: neighbours, so that it reads few shards and rows gathered by rank keep their order."""
    return list(blocks[len(blocks) * rank // ranks : len(blocks) * (rank + 1) // ranks])


def read_blocks(
    store: Store, names: Sequence[str], blocks: Iterable[Block]
) -> Iterator[tuple[Block, dict[str, NDArray[Any]]]]:
    """The valid rows of each block, each shard read once. Quarantined samples leave a shard's last block short."""
    for shard, neighbours in groupby(blocks, key=lambda block: block.shard):
        rows = store.read_shard(shard, names)
        for block in neighbours:
            yield block, {name: values[block.start : block.stop] for name, values in rows.items()}


def _space_evenly(blocks: Sequence[Block], count: int) -> list[Block]:
    return [blocks[index * len(blocks) // count] for index in range(count)]
