"""From opening a store of a million spectra to a rank's first batch, ready for the network."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.bare import in_a_process
from benchmarks.table import Row
from xpshpc.config import JobFile, validate_job
from xpshpc.domain import Place
from xpshpc.plan.shards import split_shards
from xpshpc.run_directory import RunDirectory, save_job
from xpshpc.store.commit import clear_staging, commit_shard, make_private_folder
from xpshpc.store.prepare import prepare_store
from xpshpc.store.read import Store
from xpshpc.store.record import CommitRecord, FileRecord, read_record, read_records, record_file
from xpshpc.train.batches import Order, RankSlice, read_batches

SPECTRA = 1_000_000
SHARD_SAMPLES = (16_384, 1024)
"""Few large shards, as parallel file systems like them, and many small ones, which are read in many lanes."""

_SIMULATED = 8192
_PIECE = 256
_FEWEST_SHARDS = 4


@dataclass(frozen=True)
class Opened:
    """Seconds from nothing to the first batch, and to one from the middle of an epoch; what is read for the first."""

    first_s: float
    middle_s: float
    state_s: float
    lanes: int
    read_mb: float


def run(scale: float) -> list[Row]:
    """Rows of this benchmark; `scale` 1 is a million spectra."""
    rows = []
    for shard_samples in SHARD_SAMPLES:
        with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as scratch:
            job_file = _job(Path(scratch), -(-round(SPECTRA * scale) // shard_samples), shard_samples)
            store = RunDirectory(Path(scratch) / "run")
            in_a_process(fill_store, store, job_file, max(_PIECE, round(_SIMULATED * scale)))
            opened: Opened = in_a_process(_open, store, job_file)
        shards = job_file.job.generate.samples // shard_samples
        rows += [
            Row(
                f"first batch of {job_file.job.generate.samples} spectra in {shards} shards", opened.first_s, "s", "< 2"
            ),
            Row("  of it until the shards and their samples are known", opened.state_s, "s"),
            Row("  read for it: the first shards of each lane", opened.read_mb, "MB"),
            Row("  lanes", opened.lanes, ""),
            Row("  a batch from the middle of an epoch, going on", opened.middle_s, "s", "< 2"),
        ]
    return rows


def _job(folder: Path, shards: int, shard_samples: int) -> JobFile:
    shards = max(_FEWEST_SHARDS, shards)
    tables = {
        "name": "first-batch",
        "seed": 1,
        "generate": {"samples": shards * shard_samples, "shard_samples": shard_samples, "inner_chunk_samples": _PIECE},
        "split": {"validation": 0.05, "held_out": 0.05} if shards >= 20 else {},
        "spectra": {},
    }
    return validate_job(tables, where="benchmark", folder=folder)


def fill_store(run: RunDirectory, job_file: JobFile, simulated: int) -> None:
    """Commits the first shard of a job, of so many simulated spectra over and over, and links it as all the others."""
    job = job_file.job
    source = job_file.domain.source(job.generate.source, job_file.settings, job.generate.options, job.seed)
    plan, arrays = prepare_store(run, job_file, source)
    save_job(run, job_file)
    shard = plan[0]
    pieces = [source.make(np.arange(first, first + _PIECE)) for first in range(0, min(len(shard), simulated), _PIECE)]
    rows = {
        array.name: np.resize(np.concatenate([piece[array.name] for piece in pieces]), (len(shard), *array.spec.shape))
        for array in arrays
        if array.name in pieces[0]
    }
    rows["valid"] = np.ones(len(shard), bool)

    def record(files: dict[str, FileRecord]) -> CommitRecord:
        return CommitRecord(
            shard.number, shard.start, shard.stop, plan.data_hash, files, (), (), "", 0, "", "", {}, 0.0, 0.0
        )

    staging = make_private_folder(run.staging / "first")
    commit_shard(run, arrays, shard, rows, staging, record)
    clear_staging(run.staging)
    first = read_record(run, 0)
    assert first is not None
    for other in plan:
        if other.number:
            for array in arrays:
                os.link(array.file(run.data, 0), array.file(run.data, other.number))
            one = replace(first, shard=other.number, start=other.start, stop=other.stop)
            record_file(run, other.number).write_bytes(one.to_json())


def _open(run: RunDirectory, job_file: JobFile) -> Opened:
    job, problem, mine = job_file.job, job_file.problem(), RankSlice(0, 1)
    began = time.perf_counter()
    store = Store(run)
    shards = split_shards(len(store.plan), job.split).training
    rows = {record.shard: record.samples for record in read_records(run, shards)}
    order = Order(rows, job.training_seed, job.train.global_batch, job.train.buffer_shards)
    known = time.perf_counter()
    _make_ready(job_file, store, order, mine, 0)
    ready = time.perf_counter()
    _make_ready(job_file, Store(run), order, mine, order.steps(0) // 2)
    middle_s = time.perf_counter() - ready
    read = [shard for lane in order.lane_shards(0) for shard in lane[: order.buffer_shards]]
    sizes = {
        record.shard: sum(record.files[name].bytes for name in problem.reads) for record in read_records(run, read)
    }
    return Opened(ready - began, middle_s, known - began, order.lanes, sum(sizes.values()) / 1e6)


def _make_ready(job_file: JobFile, store: Store, order: Order, mine: RankSlice, step: int) -> None:
    problem = job_file.problem()
    batch = next(read_batches(order, store, problem.reads, 0, mine, step))
    rows = problem.augment(batch.rows, Place(order.seed, 0, batch.step, batch.first))
    problem.features(rows)
    problem.targets(rows)
