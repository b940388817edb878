"""What SLURM says of a run's jobs. It is asked shortly; that it does not answer is an answer, not an error."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from xpshpc.cluster.slurm.client import JobState, Slurm, SlurmRefused, SlurmUnreachable
from xpshpc.cluster.submission.record import Submission

PATIENCE_S = 3.0
NOT_SUBMITTED, ANSWERED = "", "answered"
NOT_HERE = "not asked: no squeue on this machine"
WORKERS = "workers"


class Scheduler(Protocol):
    """The part of `Slurm` that is asked here."""

    def jobs(self, job_ids: Iterable[str] | None = None, *, name: str | None = None) -> list[JobState]: ...


@dataclass(frozen=True)
class QueuedJob:
    """A job of a run as SLURM tells it; `state` is empty if SLURM does not know the job (any more).

    `active` tells that it waits or works; `used_s` and `left_s` are seconds of its time limit.
    """

    stage: str
    job_id: str
    state: str
    active: bool
    reason: str
    nodes: str
    used_s: float | None
    left_s: float | None
    exit_code: int | None
    restarts: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Queue:
    """The jobs of a run. `slurm` says how SLURM was asked: not at all, with an answer, or why there was none."""

    slurm: str
    jobs: tuple[QueuedJob, ...] = ()


def ask_queue(
    submission: Submission | None, worker_jobs: Iterable[str], now: float, scheduler: Scheduler | None = None
) -> Queue:
    """The stages' jobs in the order of their submission, then the workers'. A run without jobs asks nobody.

    `now` is in seconds since the epoch; without a `scheduler` the SLURM of this machine is asked.
    """
    stages = {job.job_id: job.stage for job in submission.jobs if job.job_id} if submission is not None else {}
    wanted = [*stages, *sorted(set(worker_jobs) - set(stages), key=_by_number)]
    if not wanted:
        return Queue(NOT_SUBMITTED)
    unknown = tuple(_unknown(stage, job_id) for job_id, stage in stages.items())
    if scheduler is None:
        if shutil.which("squeue") is None:
            return Queue(NOT_HERE, unknown)
        scheduler = Slurm(patience_s=PATIENCE_S)
    try:
        states = scheduler.jobs(wanted)
    except (SlurmUnreachable, SlurmRefused) as error:
        return Queue(f"does not answer: {error.what}", unknown)
    return Queue(ANSWERED, tuple(order_jobs(stages, states, now)))


def order_jobs(stages: Mapping[str, str], states: Iterable[JobState], now: float) -> Iterable[QueuedJob]:
    """A line for each job of a stage, also where SLURM has forgotten it, and then one for each worker job."""
    by_id = {state.job_id: state for state in states}
    for job_id, stage in stages.items():
        state = by_id.pop(job_id, None)
        yield _unknown(stage, job_id) if state is None else _tell(stage, state, now)
    for state in sorted(by_id.values(), key=lambda state: _by_number(state.job_id)):
        yield _tell(WORKERS, state, now)


def _tell(stage: str, state: JobState, now: float) -> QueuedJob:
    used = None if state.started is None or state.waiting else max(0.0, (state.ended or now) - state.started)
    left = state.time_left_s if state.active and not state.waiting else None
    return QueuedJob(
        stage,
        state.job_id,
        state.state,
        state.active,
        state.reason,
        state.nodes,
        used,
        left,
        state.exit_code,
        state.restarts,
    )


def _unknown(stage: str, job_id: str) -> QueuedJob:
    return QueuedJob(stage, job_id, "", False, "", "", None, None, None, 0)


def _by_number(job_id: str) -> tuple[int, ...]:
    return tuple(int(part) for part in job_id.split("_") if part.isdecimal())
