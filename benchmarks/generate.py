"""The generate stage against its parts: simulation alone and writing alone, on the same cores in the same run."""

from __future__ import annotations

import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from benchmarks.bare import environment_of_workers, in_a_process, simulate_alone, write_alone
from benchmarks.table import Row
from xpshpc.cluster.machine import usable_cores
from xpshpc.config import JobFile, read_job
from xpshpc.events import Event
from xpshpc.generate.events import WorkersStarted
from xpshpc.generate.generate import generate
from xpshpc.plan.shards import Plan
from xpshpc.run_directory import RunDirectory
from xpshpc.store.manifest import read_manifest
from xpshpc.store.record import read_record, record_file

JOB = Path(__file__).parent.parent / "jobs" / "demo.toml"
SHARDS = 48
RECORDS = 10_000


def run(scale: float) -> list[Row]:
    """Rows of this benchmark; `scale` 1 makes the data set of the demo, 48 shards of 2048 spectra."""
    workers = usable_cores()
    shards = max(2 * workers, round(SHARDS * scale))
    shards -= shards % workers  # each process the same share: an odd one out would be charged to the fan-out
    job_file = read_job(JOB, {"generate.samples": shards * 2048})
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as scratch, environment_of_workers():
        folder = Path(scratch)
        simulation = simulate_alone(job_file, folder, workers)
        writing = write_alone(job_file, folder, workers)
        made, start_s, cpu_s, coordinator_mb, worker_mb = in_a_process(_generate, job_file, folder, workers)
        whole = RunDirectory(folder / "whole")
        state_s = measure_resume(whole, job_file, folder)
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
        Row(f"reading the state of {RECORDS} committed shards", state_s, "s", "< 2"),
    ]


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


def measure_resume(whole: RunDirectory, job_file: JobFile, folder: Path) -> float:
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
