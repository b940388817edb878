"""What a data set costs without any engine: simulation alone and writing alone, by processes that begin together."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np

from xpshpc.cluster.workers.dask_settings import WORKER_ENVIRONMENT
from xpshpc.config import JobFile
from xpshpc.plan.shards import Plan, plan_shards
from xpshpc.run_directory import RunDirectory
from xpshpc.store.commit import commit_shard, make_private_folder
from xpshpc.store.prepare import prepare_store
from xpshpc.store.record import CommitRecord, FileRecord


@dataclass(frozen=True)
class Spent:
    """Time from a common start to the last process' end, and processor time of all of them."""

    wall_s: float
    cpu_s: float


def simulate_alone(job_file: JobFile, folder: Path, processes: int) -> Spent:
    """Builds the source in each process, makes its share of the shards piece by piece, and forgets them."""
    return _in_processes(_simulate, processes, job_file, folder)


def write_alone(job_file: JobFile, folder: Path, processes: int) -> Spent:
    """Commits each process' share of the shards, each with the rows of the first."""
    return _in_processes(_write, processes, job_file, folder)


@contextlib.contextmanager
def environment_of_workers() -> Iterator[None]:
    """The parts run as the workers do; the tracker's word on what killed workers left is no result."""
    before = dict(os.environ)
    os.environ.update(WORKER_ENVIRONMENT, PYTHONWARNINGS="ignore:resource_tracker")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def in_a_process(work: Callable[..., Any], *arguments: Any) -> Any:
    return _start([(work, *arguments)])[0]


def _source(job_file: JobFile) -> Any:
    settings = job_file.job.generate
    return job_file.domain.source(settings.source, job_file.settings, settings.options, job_file.job.seed)


def _share(job_file: JobFile, number: int, of: int) -> tuple[Plan, range]:
    plan = plan_shards(job_file.job.generate, "bench")
    return plan, range(number, len(plan), of)


def _simulate(job_file: JobFile, folder: Path, number: int, of: int, ready: Barrier) -> Spent:
    piece = job_file.job.generate.inner_chunk_samples
    plan, numbers = _share(job_file, number, of)
    ready.wait()
    began, began_cpu = time.monotonic(), time.process_time()
    source = _source(job_file)
    for shard in numbers:
        for first in range(plan[shard].start, plan[shard].stop, piece):
            source.make(np.arange(first, first + piece))
    return Spent(time.monotonic() - began, time.process_time() - began_cpu)


def _write(job_file: JobFile, folder: Path, number: int, of: int, ready: Barrier) -> Spent:
    run, source = RunDirectory(folder / f"written-{number}"), _source(job_file)
    plan, arrays = prepare_store(run, job_file, source)
    _, numbers = _share(job_file, number, of)
    rows = source.make(plan[0].indices())
    rows["valid"] = np.ones(len(plan[0]), bool)
    staging = make_private_folder(make_private_folder(run.staging) / "bench")
    ready.wait()
    began, began_cpu = time.monotonic(), time.process_time()
    for shard in (plan[each] for each in numbers):

        def make_record(files: dict[str, FileRecord], shard: Any = shard) -> CommitRecord:
            return CommitRecord(
                shard.number, shard.start, shard.stop, plan.data_hash, files, (), (), "", 0, "", "", {}, 0.0, 0.0
            )

        commit_shard(run, arrays, shard, rows, staging, make_record)
        for file in staging.iterdir():
            file.unlink()
    return Spent(time.monotonic() - began, time.process_time() - began_cpu)


def _in_processes(work: Callable[..., Spent], processes: int, job_file: JobFile, folder: Path) -> Spent:
    """What so many processes spend that begin together."""
    ready = multiprocessing.get_context("spawn").Barrier(processes)
    results = _start([(work, job_file, folder, number, processes, ready) for number in range(processes)])
    return Spent(max(result.wall_s for result in results), sum(result.cpu_s for result in results))


def _start(calls: list[tuple[Any, ...]]) -> list[Any]:
    context = multiprocessing.get_context("spawn")
    ends = [context.Pipe(duplex=False) for _ in calls]
    processes = [
        context.Process(target=_answer, args=(sender, *call)) for (_, sender), call in zip(ends, calls, strict=True)
    ]
    for process in processes:
        process.start()
    for _, sender in ends:
        sender.close()
    answers = [receiver.recv() for receiver, _ in ends]
    for process in processes:
        process.join()
    return answers


def _answer(sender: Any, work: Callable[..., Any], *arguments: Any) -> None:
    sender.send(work(*arguments))
