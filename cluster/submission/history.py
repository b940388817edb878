"""The lives of a run's jobs: RUN/slurm/history.jsonl, to which the batch wrapper of each job appends."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from xpshpc.run_directory import RunDirectory

What = Literal["started", "requeued", "finished", "failed"]


@dataclass(frozen=True)
class JobEvent:
    """A life of a job began or ended: `restart` counts the lives before it, `time` is in seconds since the epoch.

    `charged`: the end counts against the restarts that the profile allows.
    """

    time: float
    stage: str
    job_id: str
    restart: int
    what: What
    why: str
    host: str
    charged: bool = False


def history_path(run: Path) -> Path:
    """Where the lives of the jobs of the run in this folder are told."""
    return RunDirectory(run).slurm / "history.jsonl"


def append_event(run: Path, event: JobEvent) -> None:
    """Appends one line, by one write, since jobs on several nodes may tell at the same time."""
    path = history_path(run)
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(asdict(event), separators=(",", ":")).encode() + b"\n"
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, line)
    finally:
        os.close(handle)


def read_history(run: Path) -> Iterator[JobEvent]:
    """The events of a run in order; torn lines are passed over, and a run without jobs has none."""
    try:
        lines = history_path(run).read_bytes().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            yield JobEvent(**json.loads(line))
        except (ValueError, TypeError):
            continue


def count_charged(events: Iterator[JobEvent], job_id: str) -> int:
    """Failures of a job since it began, that its allowance of restarts has paid for."""
    return sum(event.charged for event in events if event.job_id == job_id)
