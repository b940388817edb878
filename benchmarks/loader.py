"""The loader against the training step that it feeds, each on one core."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.table import Row
from xpshpc.cluster.communicator import Solo
from xpshpc.config import JobFile, validate_job
from xpshpc.domain import Place, Problem
from xpshpc.generate.generate import generate
from xpshpc.run_directory import RunDirectory
from xpshpc.store.read import Store
from xpshpc.train.batches import Order, RankSlice, ShardReader, read_batches
from xpshpc.train.prefetch import Prefetch
from xpshpc.train.step import Stepper, configure_tensorflow

_SHARD = 2048
_BATCH = 256
_RATE = 1e-3
_AUGMENTATION = {"dose": [1e3, 1e5], "shift_eV": 2.0, "gain": 0.2, "background": 0.1}
"""All that may be done to spectra on the fly."""


def run(scale: float) -> list[Row]:
    """Rows of this benchmark; `scale` 1 is the full size."""
    configure_tensorflow(threads=1, local_rank=0, seed=1)
    shards = max(4, round(12 * scale))
    with tempfile.TemporaryDirectory() as folder:
        job_file, changing = (_job(Path(folder), shards, task) for task in ({}, {"augmentation": _AUGMENTATION}))
        data = RunDirectory(Path(folder) / "run")
        generate(job_file, data, workers=1)
        problem = job_file.problem()
        store = Store(data)
        order = Order(dict.fromkeys(range(shards), _SHARD), 1, _BATCH, buffer_shards=2)
        network = problem.network("vanilla_cnn", {}, (2048,), 1)
        stepper = Stepper(network, problem, Solo(), job_file.job.train)
        first = next(_prepared(problem, store, order, RankSlice(0, 1)))
        loader = _loaded_per_second(problem, store, order, RankSlice(0, 1))
        next(_prepared(changing.problem(), store, order, RankSlice(0, 1)))  # compiles
        augmenting = _loaded_per_second(changing.problem(), store, order, RankSlice(0, 1))
        shared = _loaded_per_second(problem, store, order, RankSlice(0, 2))
        step = _stepped_per_second(stepper, first, steps=max(8, round(40 * scale)))
        together, waiting = _trained_per_second(stepper, problem, store, order)
    return [
        Row("loader, spectra a second, one core", loader, "1/s"),
        Row("  with noise, shift, gain and background drawn on the fly", augmenting, "1/s"),
        Row("training step, spectra a second, one core", step, "1/s"),
        Row("loader against training step", loader / step, "×", "≥ 3"),
        Row("  with everything drawn on the fly", augmenting / step, "×"),
        Row("the same for one of two ranks that read the same shards", shared / step, "×"),
        Row("both on one core, spectra a second", together, "1/s"),
        Row("share of that time spent waiting for samples", waiting, ""),
    ]


def _job(folder: Path, shards: int, task: Mapping[str, Any]) -> JobFile:
    tables = {
        "name": "loader",
        "seed": 1,
        "generate": {"samples": shards * _SHARD, "shard_samples": _SHARD},
        "spectra": {},
        "train": {"network": "vanilla_cnn", "global_batch": _BATCH, "task": task},
    }
    return validate_job(tables, where="benchmark", folder=folder)


def _prepared(problem: Problem, reader: ShardReader, order: Order, mine: RankSlice) -> Iterator[tuple[Any, Any]]:
    for batch in read_batches(order, reader, problem.reads, 0, mine):
        rows = problem.augment(batch.rows, Place(order.seed, 0, batch.step, batch.first))
        yield problem.features(rows), problem.targets(rows)


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
