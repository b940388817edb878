"""How many shards a second one coordinator can hand out, watch and commit: shards that cost nothing to make."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
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


def run(scale: float) -> list[Row]:
    """Rows of this benchmark; `scale` 1 takes 6000 shards."""
    workers, shards = usable_cores(), max(200, round(SHARDS * scale))
    job_file = empty_job(shards)
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as scratch, environment_of_workers():
        folder = Path(scratch)
        committing = write_alone(job_file, folder, workers)
        wall_s, first_s, start_s = in_a_process(_generate, job_file, folder / "whole", workers)
    return [
        Row("shards a second through the whole path", (shards - 1) / (wall_s - first_s), "shards/s", "≥ 300"),
        Row(f"  committing them alone, {workers} processes", shards / committing.wall_s, "shards/s"),
        Row("  start of the workers", start_s, "s"),
    ]


def _generate(job_file: JobFile, folder: Path, workers: int) -> tuple[float, float, float]:
    """Seconds to the end, to the first commit, and to the workers' start."""
    began, seen = time.monotonic(), {}

    def listen(event: Event) -> None:
        seen.setdefault(type(event), time.monotonic() - began)

    generate(job_file, RunDirectory(folder), workers=workers, on_event=listen)
    return time.monotonic() - began, seen[ShardCommitted], seen[WorkersStarted]
