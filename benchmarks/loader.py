"""The loader against the training step that it feeds, each on one core."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.table import Row
from xpshpc.cluster.communicator import Solo
from xpshpc.config import validate_job
from xpshpc.domain import Problem
from xpshpc.generate.generate import generate
from xpshpc.run_directory import RunDirectory
from xpshpc.store.read import Store
from xpshpc.train.batches import Order, RankSlice, ShardReader, read_batches
from xpshpc.train.prefetch import Prefetch
from xpshpc.train.step import Stepper, configure_tensorflow

_SHARD = 2048
_BATCH = 256
_RATE = 1e-3


def run(scale: float) -> list[Row]:
    """Rows of this benchmark; `scale` 1 is the full size."""
    configure_tensorflow(threads=1, local_rank=0, seed=1)
    shards = max(4, round(12 * scale))
    with tempfile.TemporaryDirectory() as folder:
        tables = {
            "name": "loader",
            "seed": 1,
            "generate": {"samples": shards * _SHARD, "shard_samples": _SHARD},
            "spectra": {},
        }
        job_file = validate_job(tables, where="benchmark", folder=Path(folder))
        data = RunDirectory(Path(folder) / "run")
        generate(job_file, data, workers=1)
        problem = job_file.problem()
        store = Store(data)
        order = Order(dict.fromkeys(range(shards), _SHARD), 1, _BATCH, buffer_shards=2)
        network = problem.network("vanilla_cnn", {}, (2048,), 1)
        stepper = Stepper(network, problem, Solo(), global_batch=_BATCH, gradient_clip=None)
        first = next(_prepared(problem, store, order, RankSlice(0, 1)))
        loader = _loaded_per_second(problem, store, order, RankSlice(0, 1))
        shared = _loaded_per_second(problem, store, order, RankSlice(0, 2))
        began = time.perf_counter()
        next(_prepared(problem, Store(data), order, RankSlice(0, 1)))
        to_first = time.perf_counter() - began
        step = _stepped_per_second(stepper, first, steps=max(8, round(40 * scale)))
        together, waiting = _trained_per_second(stepper, problem, store, order)
    return [
        Row("loader, spectra a second, one core", loader, "1/s"),
        Row("training step, spectra a second, one core", step, "1/s"),
        Row("loader against training step", loader / step, "×", "≥ 3"),
        Row("the same for one of two ranks that read the same shards", shared / step, "×"),
        Row("both on one core, spectra a second", together, "1/s"),
        Row("share of that time spent waiting for samples", waiting, ""),
        Row("from opening the store to the first batch", to_first, "s", "< 2"),
    ]


def _prepared(problem: Problem, reader: ShardReader, order: Order, mine: RankSlice) -> Iterator[tuple[Any, Any]]:
    for batch in read_batches(order, reader, problem.reads, 0, mine):
        yield problem.features(batch.rows), problem.targets(batch.rows)


def _loaded_per_second(problem: Problem, reader: ShardReader, order: Order, mine: RankSlice) -> float:
    began = time.perf_counter()
    spectra = sum(len(inputs) for inputs, _ in _prepared(problem, reader, order, mine))
    return spectra / (time.perf_counter() - began)


def _stepped_per_second(stepper: Stepper, batch: tuple[Any, Any], steps: int) -> float:
    _take_steps(stepper, [batch] * 3)  # compiles
    began = time.perf_counter()
    return _take_steps(stepper, [batch] * steps) / (time.perf_counter() - began)


def _trained_per_second(stepper: Stepper, problem: Problem, reader: ShardReader, order: Order) -> tuple[float, float]:
    began = time.perf_counter()
    with Prefetch(_prepared(problem, reader, order, RankSlice(0, 1))) as ready:
        spectra = _take_steps(stepper, ready)
        seconds = time.perf_counter() - began
        return spectra / seconds, ready.waited_s / seconds


def _take_steps(stepper: Stepper, batches: Iterable[tuple[Any, Any]]) -> int:
    spectra = 0
    for inputs, truth in batches:
        stepper.step(inputs, truth, _RATE, stop=False)
        spectra += len(inputs)
    return spectra
