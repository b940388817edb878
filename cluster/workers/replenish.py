"""How many worker jobs to ask for, and when to stop asking: pure functions of what SLURM and the scheduler tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from xpshpc.cluster.site import Limits

SHORTEST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0

FORGOTTEN = "UNKNOWN"
"""The state of a job that SLURM no longer knows."""

PLANNED = frozenset({"COMPLETED", "CANCELLED", "PREEMPTED", "TIMEOUT", "DEADLINE", FORGOTTEN})
"""Ends of a job whose workers have joined that are nobody's fault: it was asked to stop, or its time was over."""

WITHDRAWN = frozenset({"CANCELLED", "PREEMPTED"})
"""Ends that are nobody's fault even if no worker of the job has joined."""


@dataclass(frozen=True)
class EndedJob:
    """A worker job that is over: SLURM's state and reason, and the nodes it had."""

    job_id: str
    state: str
    reason: str
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class Failure:
    """A worker job that is held to have failed."""

    job_id: str
    node: str
    why: str


@dataclass(frozen=True)
class History:
    """What became of the worker jobs so far. Times are monotonic, in seconds."""

    joined: frozenset[str] = frozenset()
    in_a_row: int = 0
    failed_at: float = float("-inf")
    node_failures: Mapping[str, int] = field(default_factory=dict)
    excluded: tuple[str, ...] = ()
    last: Failure | None = None


@dataclass(frozen=True)
class Staffing:
    """What to do now: ask for so many jobs, or give up for this reason."""

    submit: int = 0
    give_up: str = ""


def note_joined(history: History, job_id: str) -> History:
    """A worker of this job has joined: allocations work again."""
    return replace(history, joined=history.joined | {job_id}, in_a_row=0)


def judge(history: History, job: EndedJob) -> Failure | None:
    """Whether a job that is over has failed: by its state, or because none of its workers ever joined."""
    joined = job.job_id in history.joined
    if job.state in (PLANNED if joined else WITHDRAWN):
        return None
    why = job.state if job.reason in ("", "None") else f"{job.state} ({job.reason})"
    if not joined:
        why = f"{why}, no worker of it ever joined"
    return Failure(job.job_id, job.nodes[0] if len(job.nodes) == 1 else "", why)


def to_judge(history: History, ended: Iterable[EndedJob]) -> list[EndedJob]:
    """Of jobs that were found gone together, those to be judged.

    Of the ones that SLURM has forgotten before any worker joined, that is one alone: a controller that was killed lost
    its memory once, and no job has failed.
    """
    judged: list[EndedJob] = []
    forgot = False
    for job in ended:
        if job.state == FORGOTTEN and job.job_id not in history.joined:
            if forgot:
                continue
            forgot = True
        judged.append(job)
    return judged


def note_failure(history: History, failure: Failure, limits: Limits, now: float) -> History:
    """A failed job counts against its node and in the row of failures; on an excluded node it was a late one."""
    if failure.node in history.excluded:
        return history
    counts = dict(history.node_failures)
    excluded = history.excluded
    if failure.node:
        counts[failure.node] = counts.get(failure.node, 0) + 1
        if counts[failure.node] >= limits.node_failures:
            excluded = (*excluded, failure.node)
    return replace(
        history,
        in_a_row=history.in_a_row + 1,
        failed_at=now,
        node_failures=counts,
        excluded=excluded,
        last=failure,
    )


def staff(history: History, active: int, wanted: int, limits: Limits, now: float) -> Staffing:
    """Jobs to ask for, given how many are in the queue or run and how many are wanted.

    After failures in a row the pause before the next wave doubles from one second to a minute.
    """
    if history.in_a_row >= limits.failed_allocations:
        return Staffing(give_up=f"{history.in_a_row} worker jobs in a row have failed")
    if now - history.failed_at < pause_s(history.in_a_row):
        return Staffing()
    most = wanted if limits.max_jobs is None else min(wanted, limits.max_jobs)
    return Staffing(submit=max(0, most - active))


def pause_s(failures: int) -> float:
    """Seconds to wait after so many failures in a row."""
    if failures == 0:
        return 0.0
    return float(min(SHORTEST_PAUSE_S * 2.0 ** min(failures - 1, 30), LONGEST_PAUSE_S))


def arrays(jobs: int, max_array: int | None) -> Iterable[int]:
    """So many jobs as the sizes of job arrays, none larger than the site allows."""
    size = jobs if max_array is None else max(1, min(jobs, max_array))
    while jobs > 0:
        yield min(size, jobs)
        jobs -= size
