"""The generate stage against its parts: simulation alone and writing alone, on the same cores in the same run."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.table import Row
from xpshpc.cluster.launch import WORKER_ENVIRONMENT
from xpshpc.cluster.machine import usable_cores
from xpshpc.config import JobFile, read_job
from xpshpc.events import Event
from xpshpc.generate.events import WorkersStarted
from xpshpc.generate.generate import generate
from xpshpc.plan.shards import Plan, plan_shards
from xpshpc.run_directory import RunDirectory
from xpshpc.store.commit import commit_shard, make_private_folder
from xpshpc.store.manifest import read_manifest
from xpshpc.store.prepare import prepare_store
from xpshpc.store.record import CommitRecord, FileRecord, read_record, record_file

JOB = Path(__file__).parent.parent / "jobs" / "demo.toml"
SHARDS = 48
RECORDS = 10_000


def run(scale: float) -> list[Row]:
    """Rows of this benchmark; `scale` 1 makes the data set of the demo, 48 shards of 2048 spectra."""
    workers = usable_cores()
    shards = max(2 * workers, round(SHARDS * scale))
    shards -= shards % workers  # each process the same share: an odd one out would be charged to the fan-out
    job_file = read_job(JOB, {"generate.samples": shards * 2048})
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as scratch, _environment_of_workers():
        folder = Path(scratch)
        simulation = _in_processes(_simulate, workers, job_file, folder)
        writing = _in_processes(_write, workers, job_file, folder)
        made, start_s, cpu_s, coordinator_mb, worker_mb = _in_a_process(_generate, job_file, folder, workers)
        whole = RunDirectory(folder / "whole")
        resume_s = _resume(whole, job_file, folder)
    bare_s = simulation.wall_s + writing.wall_s
    bare_cpu_s = simulation.cpu_s + writing.cpu_s
    overhead_s = made["wall_s"] - start_s - bare_s
    samples = made["planned"]
    return [
        Row(f"generate against simulation + writing alone, {workers} workers", made["wall_s"] / bare_s, "×", "≤ 1.10"),
        Row("  the same without the start of the workers", (made["wall_s"] - start_s) / bare_s, "×"),
        Row("  the same in processor time of all processes", cpu_s / bare_cpu_s, "×"),
        Row("  start of the workers, tables of the coordinator included", start_s, "s"),
        Row("  fan-out and supervision, for each shard of a worker", 1e3 * overhead_s * workers / shards, "ms"),
        Row("simulation alone", samples / simulation.wall_s, "spectra/s"),
        Row("writing alone: encode, read back, sync, link, record", samples / writing.wall_s, "spectra/s"),
        Row("generate", made["spectra_per_s"], "spectra/s"),
        Row("on the disk", made["bytes"] / samples, "B/spectrum"),
        Row("peak resident memory of the coordinator", coordinator_mb, "MB", "≤ 500"),
        Row("peak resident memory of a worker", worker_mb, "MB", "≤ 1000"),
        Row(f"reading the state of {RECORDS} committed shards", resume_s, "s", "< 2"),
    ]


@dataclass(frozen=True)
class Spent:
    """Time from a common start to the last process' end, and processor time of all of them."""

    wall_s: float
    cpu_s: float


def _source(job_file: JobFile) -> Any:
    settings = job_file.job.generate
    return job_file.domain.source(settings.source, job_file.settings, settings.options, job_file.job.seed)


def _share(job_file: JobFile, number: int, of: int) -> tuple[Plan, range]:
    plan = plan_shards(job_file.job.generate, "bench")
    return plan, range(number, len(plan), of)


def _simulate(job_file: JobFile, folder: Path, number: int, of: int, ready: Barrier) -> Spent:
    """Builds the source, makes this process' share of the shards piece by piece, and forgets them."""
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
    """Commits this process' share of the shards, each with the rows of the first."""
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


def _generate(job_file: JobFile, folder: Path, workers: int) -> tuple[dict[str, Any], float, float, float, float]:
    started: list[tuple[float, float]] = []

    def listen(event: Event) -> None:
        if isinstance(event, WorkersStarted):
            started.append((time.monotonic(), _processor_time()))

    began = time.monotonic()
    made = generate(job_file, RunDirectory(folder / "whole"), workers=workers, on_event=listen)
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    start, start_cpu = started[0]
    return made.as_json(), start - began, _processor_time() - start_cpu, own.ru_maxrss / 1024, children.ru_maxrss / 1024


def _processor_time() -> float:
    """Seconds of this process and its children, those that have ended and those that run."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    running = [psutil.Process(), *psutil.Process().children()]
    times = [process.cpu_times() for process in running]
    return ended.ru_utime + ended.ru_stime + sum(each.user + each.system for each in times)


def _resume(whole: RunDirectory, job_file: JobFile, folder: Path) -> float:
    """Seconds to find out what a run of many shards has, from a disk that has just been written."""
    record = read_record(whole, 0)
    assert record is not None
    run, plan = RunDirectory(folder / "many"), Plan(RECORDS * 2048, 2048, record.data_hash)
    run.commits.mkdir(parents=True)
    for number in range(RECORDS):
        shard = plan[number]
        one = replace(record, shard=number, start=shard.start, stop=shard.stop)
        record_file(run, number).write_bytes(one.to_json())
    began = time.monotonic()
    tally = read_manifest(run, plan).tally()
    assert tally.samples == plan.samples
    return time.monotonic() - began


def _in_processes(work: Callable[..., Spent], processes: int, job_file: JobFile, folder: Path) -> Spent:
    """What so many processes spend that begin together."""
    ready = multiprocessing.get_context("spawn").Barrier(processes)
    results = _start([(work, job_file, folder, number, processes, ready) for number in range(processes)])
    return Spent(max(result.wall_s for result in results), sum(result.cpu_s for result in results))


def _in_a_process(work: Callable[..., Any], *arguments: Any) -> Any:
    return _start([(work, *arguments)])[0]


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


@contextlib.contextmanager
def _environment_of_workers() -> Iterator[None]:
    """The parts run as the workers do; the tracker's word on what killed workers left is no result."""
    before = dict(os.environ)
    os.environ.update(WORKER_ENVIRONMENT, PYTHONWARNINGS="ignore:resource_tracker")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _answer(sender: Any, work: Callable[..., Any], *arguments: Any) -> None:
    sender.send(work(*arguments))
