"""Who coordinates a run, and whether that process still can: by its number, by its SLURM job, or not to be told."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from xpshpc.cluster.pid_space import own_pid_space
from xpshpc.cluster.process import ProcessId, is_alive, this_process
from xpshpc.errors import XpshpcError

SLURM_PATIENCE_S = 5.0


class Life(Enum):
    """What is known of an owner from here. UNKNOWN: only its beats can tell."""

    LIVES = "lives"
    OVER = "over"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Owner:
    """Who coordinates a run, since when (seconds since the epoch), and whether it has given the run back.

    `cluster` and `restarts` say which life of the SLURM job `job_id` it is; `pid_space` where `pid` has its meaning
    (empty in files of older versions: then the host's name decides).
    """

    host: str
    pid: int
    born: int
    since: float
    job_id: str = ""
    released: bool = False
    cluster: str = ""
    restarts: int = 0
    pid_space: str = ""

    @property
    def process(self) -> ProcessId:
        return ProcessId(self.host, self.pid, self.born)

    def shares_pids_with(self, other: Owner) -> bool:
        """Whether the process numbers of both mean the same processes."""
        if self.pid_space and other.pid_space:
            return self.pid_space == other.pid_space
        return self.host == other.host

    def is_earlier_life_of(self, other: Owner) -> bool:
        """Whether both are the same SLURM job, and SLURM has put it back into the queue between them."""
        return (
            self.job_id != ""
            and (self.cluster, self.job_id) == (other.cluster, other.job_id)
            and self.restarts < other.restarts
        )

    def is_another_start_of(self, other: Owner) -> bool:
        """Whether both are one life of a SLURM job on two hosts: a controller that lost its memory begins it twice."""
        return (
            self.job_id != ""
            and (self.cluster, self.job_id, self.restarts) == (other.cluster, other.job_id, other.restarts)
            and not self.shares_pids_with(other)
        )

    def __str__(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        job = f", job {self.job_id}" if self.job_id else ""
        return f"process {self.pid} on {self.host}{job}, since {since}"


JobIsOver = Callable[[Owner], bool | None]
"""Whether the life of the SLURM job that an owner belongs to is over; None where nobody knows."""


def this_owner(since: float, environment: Mapping[str, str] = os.environ) -> Owner:
    """The process that asks, as an owner."""
    process = this_process()
    return Owner(
        process.host,
        process.pid,
        process.born,
        since,
        job_id=environment.get("SLURM_JOB_ID", ""),
        cluster=environment.get("SLURM_CLUSTER_NAME", ""),
        restarts=int(environment.get("SLURM_RESTART_COUNT") or 0),
        pid_space=own_pid_space(),
    )


def life_of(owner: Owner, witness: Owner, job_is_over: JobIsOver) -> Life:
    """What `witness`, a process of this host, knows of an owner. Asks SLURM only where nothing nearer tells."""
    if owner.released or owner.is_earlier_life_of(witness):
        return Life.OVER
    if owner.shares_pids_with(witness):
        return Life.LIVES if is_alive(owner.process) else Life.OVER
    return Life.OVER if owner.job_id and job_is_over(owner) else Life.UNKNOWN


class _JobState(Protocol):
    @property
    def over(self) -> bool: ...
    @property
    def waiting(self) -> bool: ...
    @property
    def restarts(self) -> int: ...


def incarnation_is_over(states: Sequence[_JobState], restarts: int) -> bool | None:
    """Whether a job's life number `restarts` is over, from what SLURM says of the job (nothing: None).

    A job that waits again, or runs for another time, has left its earlier life.
    """
    if not states:
        return None
    return all(state.over or state.waiting or state.restarts > restarts for state in states)


def slurm_says_over(owner: Owner) -> bool | None:
    """Asks SLURM, for a few seconds at most; a job of another cluster is not known here, whatever its number."""
    if shutil.which("squeue") is None:
        return None
    from xpshpc.cluster.slurm.client import Slurm

    slurm = Slurm(patience_s=SLURM_PATIENCE_S)
    try:
        if owner.cluster != slurm.limits().cluster_name:
            return None
        return incarnation_is_over(slurm.jobs([owner.job_id]), owner.restarts)
    except XpshpcError:
        return None
