"""A network's loss and metrics on the validation shards, the same for any number of ranks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xpshpc.cluster.communicator import Communicator
from xpshpc.domain import Problem, check_sound
from xpshpc.errors import UsageError
from xpshpc.train.batches import RankSlice, ShardReader

LARGEST_BATCH = 256
"""Samples answered at a time; more would only cost memory."""


class Answerer(Protocol):
    """Something that answers like a network and tells each sample's loss."""

    def answer(
        self, inputs: NDArray[np.float32], truth: Mapping[str, NDArray[np.float32]]
    ) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]: ...


def validate(
    network: Answerer,
    problem: Problem,
    reader: ShardReader,
    shards: Sequence[int],
    ranks: Communicator,
    *,
    batch: int,
) -> dict[str, float]:
    """Means over all validation samples of `loss` and the problem's metrics.

    Shards go to the ranks in turn, and their sums are merged in float64. Raises UsageError where no sample is left.
    """
    sums: dict[str, float] = defaultdict(float)
    for truth, answer, losses in answer_shards(network, problem, reader, shards, ranks, batch=batch):
        for name, values in problem.metrics(truth, answer).items():
            sums[name] += float(values.sum())
        sums["loss"] += float(losses.sum(dtype=np.float64))
        sums["samples"] += len(losses)
    names = _agree_on_names(sorted(sums), ranks)
    merged = dict(zip(names, ranks.allreduce([sums[name] for name in names]), strict=True))
    samples = merged.pop("samples", 0.0)
    if not samples:
        raise UsageError(
            "every validation sample is in quarantine", where="split.validation", try_="xpshpc status RUN; more samples"
        )
    return {name: float(value / samples) for name, value in merged.items()}


def answer_shards(
    network: Answerer,
    problem: Problem,
    reader: ShardReader,
    shards: Sequence[int],
    ranks: Communicator,
    *,
    batch: int,
) -> Iterator[tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[np.float32]], NDArray[np.float32]]]:
    """Truth, answer and losses of this rank's share of the shards, at most `batch` samples at a time.

    Raises UsageError for samples that are not finite.
    """
    for shard, rows in _blocks(reader, problem.reads, shards, RankSlice(ranks.rank, ranks.size), batch):
        inputs, truth = problem.features(rows), problem.targets(rows)
        check_sound(shard, inputs, truth)
        yield truth, *_answer_in_full_batch(network, inputs, truth, batch)


def _answer_in_full_batch(
    network: Answerer, inputs: NDArray[np.float32], truth: Mapping[str, NDArray[np.float32]], batch: int
) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]:
    # One shape means one compilation: the last block is filled up with its own first samples and cut again.
    n = len(inputs)
    fill = np.resize(np.arange(n), batch)
    answer, losses = network.answer(inputs[fill], {name: values[fill] for name, values in truth.items()})
    return {name: values[:n] for name, values in answer.items()}, losses[:n]


def _blocks(
    reader: ShardReader, names: Sequence[str], shards: Sequence[int], mine: RankSlice, batch: int
) -> Iterator[tuple[int, dict[str, NDArray[Any]]]]:
    for shard in shards[mine.rank :: mine.size]:
        rows = reader.read_shard(shard, names)
        for start in range(0, len(rows[names[0]]), batch):
            yield shard, {name: values[start : start + batch] for name, values in rows.items()}


def _agree_on_names(mine: list[str], ranks: Communicator) -> list[str]:
    """The names of the first rank that had samples; none where no rank had."""
    first = int(ranks.allreduce(float(ranks.rank if mine else ranks.size), "min"))
    names: list[str] = ranks.broadcast(mine, first) if first < ranks.size else []
    return names
