"""What happens while a data set is made, as events."""

from __future__ import annotations

from dataclasses import dataclass

from xpshpc.cluster.workers.events import AllocationFailed, NodeExcluded, WorkerJoined, WorkerLeft, WorkersRequested
from xpshpc.events import Event

__all__ = [
    "AllocationFailed",
    "DiskFull",
    "NodeExcluded",
    "SampleQuarantined",
    "ShardCommitted",
    "ShardFailed",
    "ShardStarted",
    "StageStopped",
    "StopRequested",
    "WorkerJoined",
    "WorkerKilled",
    "WorkerLeft",
    "WorkersRequested",
    "WorkersStarted",
]


@dataclass(frozen=True)
class WorkersStarted(Event):
    """So many worker processes are up."""

    workers: int


@dataclass(frozen=True)
class ShardStarted(Event):
    """A worker has begun an attempt at a shard."""

    shard: int
    attempt: int
    host: str
    pid: int


@dataclass(frozen=True)
class ShardCommitted(Event):
    """A shard is in the store; `seconds` is the time of the attempt that made it, on one core."""

    shard: int
    attempt: int
    samples: int
    quarantined: int
    bytes: int
    seconds: float
    host: str
    pid: int


@dataclass(frozen=True)
class ShardFailed(Event):
    """An attempt at a shard failed; `decision` says what follows."""

    shard: int
    attempt: int
    cause: str
    why: str
    decision: str
    host: str
    pid: int
    seconds: float
    piece: int | None = None
    sample: int | None = None


@dataclass(frozen=True)
class SampleQuarantined(Event):
    """A sample is left out of the data set."""

    shard: int
    sample: int
    cause: str
    why: str


@dataclass(frozen=True)
class WorkerKilled(Event):
    """A worker said nothing for `silence_s` seconds and was killed."""

    host: str
    pid: int
    shard: int
    silence_s: float


@dataclass(frozen=True)
class DiskFull(Event):
    """No room on the disk: nothing new is handed out for `delay_s` seconds."""

    delay_s: float
    free_bytes: int


@dataclass(frozen=True)
class StopRequested(Event):
    """A request to stop: shards that have begun have `grace_s` seconds to end, no other is handed out."""

    by: str
    grace_s: float


@dataclass(frozen=True)
class StageStopped(Event):
    """The stage ended before its work was done: drained, or by an error."""

    stage: str
    why: str
