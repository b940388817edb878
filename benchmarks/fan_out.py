"""How many shards a second one coordinator can hand out, watch and commit: shards that cost nothing to make."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from pydantic import BaseModel

from benchmarks.bare import environment_of_workers, in_a_process, write_alone
from benchmarks.table import Row
from xpshpc.cluster.machine import usable_cores
from xpshpc.config import Generate, Job, JobFile, Section
from xpshpc.events import Event
from xpshpc.generate.events import ShardCommitted, WorkersStarted
from xpshpc.generate.generate import generate
from xpshpc.run_directory import RunDirectory
from xpshpc.source import ArraySpec

SHARDS = 6000
WORKERS_A_CORE = 4
"""Such shards wait for the disk most of their time; as on a cluster, workers outnumber the coordinator's cores."""


class Nothing(Section):
    """The settings of a science that makes nothing worth knowing."""


class Zeros:
    """A source of one number a sample."""

    piece_samples: int | None = None

    def arrays(self) -> tuple[ArraySpec, ...]:
        return (ArraySpec("zero", (), "uint8", "1", "nothing"),)

    def attributes(self) -> dict[str, Any]:
        return {}

    def make(self, indices: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        return {"zero": np.zeros(len(indices), np.uint8)}


class NothingDomain:
    """The science of `Zeros`."""

    section = "nothing"
    settings: type[BaseModel] = Nothing

    def decisive(self, settings: BaseModel) -> dict[str, Any]:
        return {}

    def decisive_options(self, source: str, options: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    def sources(self) -> tuple[str, ...]:
        return ("embedded",)

    def source(self, name: str, settings: BaseModel, options: Mapping[str, Any], seed: int) -> Zeros:
        return Zeros()


def empty_job(shards: int) -> JobFile:
    """A job of so many shards of one sample each."""
    domain: Any = NothingDomain()
    section = Generate(samples=shards, shard_samples=1, inner_chunk_samples=1)
    return JobFile(Job(name="nothing", seed=0, generate=section), domain, Nothing(), Path())


@dataclass(frozen=True)
class Moment:
    """Time, and the processor time of the coordinator (the scheduler is in it) and of its workers so far."""

    time_s: float
    coordinator_s: float
    workers_s: float


def run(scale: float) -> list[Row]:
    """Rows of this benchmark; `scale` 1 takes 6000 shards."""
    workers, shards = WORKERS_A_CORE * usable_cores(), max(400, round(SHARDS * scale))
    job_file = empty_job(shards)
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as scratch, environment_of_workers():
        folder = Path(scratch)
        committing = write_alone(job_file, folder, workers)
        start_s, first, last = in_a_process(_generate, job_file, folder / "whole", workers)
    passed = shards - 1
    return [
        Row("shards a second through the whole path", passed / (last.time_s - first.time_s), "shards/s", "≥ 300"),
        Row(f"  committing them alone, {workers} processes", shards / committing.wall_s, "shards/s"),
        Row(
            "  CPU of coordinator and scheduler", 1e3 * (last.coordinator_s - first.coordinator_s) / passed, "ms/shard"
        ),
        Row("  CPU of the workers", 1e3 * (last.workers_s - first.workers_s) / passed, "ms/shard"),
        Row("  CPU of committing alone", 1e3 * committing.cpu_s / shards, "ms/shard"),
        Row("  start of the workers", start_s, "s"),
    ]


def _generate(job_file: JobFile, folder: Path, workers: int) -> tuple[float, Moment, Moment]:
    """Seconds to the workers' start, and the moments of the first and of the last commit."""
    began, started, moments, left = time.monotonic(), [], [], job_file.job.generate.samples

    def listen(event: Event) -> None:
        nonlocal left
        if isinstance(event, WorkersStarted):
            started.append(time.monotonic() - began)
        elif isinstance(event, ShardCommitted):
            left -= event.samples
            if not moments or not left:
                moments.append(_now())

    generate(job_file, RunDirectory(folder), workers=workers, on_event=listen)
    first, last = moments
    return started[0], first, last


def _now() -> Moment:
    spent = [process.cpu_times() for process in psutil.Process().children(recursive=True)]
    return Moment(time.monotonic(), time.process_time(), sum(times.user + times.system for times in spent))
