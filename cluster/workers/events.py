"""What happens to worker processes and the jobs they run in, as events."""

from __future__ import annotations

from dataclasses import dataclass

from xpshpc.events import Event


@dataclass(frozen=True)
class WorkerJoined(Event):
    """A worker process is ready for work; `job_id` is empty outside SLURM."""

    worker: str
    host: str
    pid: int
    job_id: str


@dataclass(frozen=True)
class WorkerLeft(Event):
    """A worker process is no longer there."""

    worker: str
    host: str
    pid: int
    job_id: str
    why: str


@dataclass(frozen=True)
class WorkersRequested(Event):
    """So many worker jobs were put into SLURM's queue."""

    jobs: int
    job_ids: tuple[str, ...]


@dataclass(frozen=True)
class AllocationFailed(Event):
    """A worker job ended by a fault, or without a worker of it ever having joined; `node` is empty if it had none."""

    job_id: str
    node: str
    why: str


@dataclass(frozen=True)
class NodeExcluded(Event):
    """No more worker jobs are sent to this node."""

    node: str
    why: str
