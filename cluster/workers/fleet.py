"""Workers in SLURM jobs of their own that come and go, kept up in number by the coordinator."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xpshpc.cluster.profile import Profile
from xpshpc.cluster.site import Limits
from xpshpc.cluster.slurm.client import JobState
from xpshpc.cluster.workers.dask_settings import START_S
from xpshpc.cluster.workers.desk import Cancel, JobDesk, Listed, Look, Refused, Submit, Submitted, Unanswered
from xpshpc.cluster.workers.events import AllocationFailed, NodeExcluded, WorkerJoined, WorkersRequested
from xpshpc.cluster.workers.replenish import (
    FORGOTTEN,
    EndedJob,
    Failure,
    History,
    arrays,
    judge,
    note_failure,
    note_joined,
    staff,
    to_judge,
)
from xpshpc.cluster.workers.roll import Roll
from xpshpc.cluster.workers.script import log_file
from xpshpc.errors import EnvironmentFault, XpshpcError
from xpshpc.events import Listener

if TYPE_CHECKING:
    from distributed import Client

QUICK_LOOK_S = 1.0
"""Seconds between two looks at the queue while workers are missing."""

SLOW_LOOK_S = 5.0
END_S = 15.0
"""Seconds that a worker has to die by its nanny's hand before its job is cancelled."""

SILENT_START_S = 3 * START_S
"""A job that has run for so long without a worker never gets one."""

TAIL_LINES = 12
TAIL_BYTES = 8192


class Fleet:
    """A Workforce of SLURM jobs."""

    def __init__(
        self,
        profile: Profile,
        workers: int,
        client: Client,
        desk: JobDesk,
        limits: Limits,
        logs: Path,
        on_event: Listener,
        tokens: set[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tokens = tokens
        self.wanted = workers
        self.client = client
        self._site = profile.site
        self._desk, self._logs, self._on_event, self._clock = desk, logs, on_event, clock
        self._limits = limits
        self._roll = Roll(client)
        self._history = History()
        self._jobs: dict[str, JobState | None] = {}
        self._requested = 0
        self._absent: dict[str, float] = {}
        self._doomed: dict[str, float] = {}
        self._unanswered: float | None = None

    @property
    def connected(self) -> int:
        return len(self._roll)

    @property
    def waiting(self) -> str:
        if self._site.generate.adaptive:
            return "waiting for Dask to ask for workers"
        known = [job for job in self._jobs.values() if job is not None]
        if self._requested or any(job is None or job.waiting for job in self._jobs.values()):
            reasons = sorted({job.reason for job in known if job.waiting and job.reason not in ("", "None")})
            return " ".join(["worker jobs wait in the queue", *([f"({', '.join(reasons)})"] if reasons else [])])
        starting = sum(job.job_id not in self._history.joined for job in known)
        return f"{starting} worker jobs start" if starting else "worker jobs are asked for"

    def tend(self) -> None:
        for change in self._roll.changes():
            self._on_event(change)
            if isinstance(change, WorkerJoined) and change.job_id:
                self._history = note_joined(self._history, change.job_id)
            else:
                self._desk.ask(Look())
        now = self._clock()
        for answer in self._desk.answers():
            match answer:
                case Submitted(job_ids):
                    self._requested = max(0, self._requested - len(job_ids))
                    self._jobs.update(dict.fromkeys(job_ids))
                    self._on_event(WorkersRequested(len(job_ids), job_ids))
                case Listed(jobs):
                    self._unanswered = None
                    self._take(jobs, now)
                case Unanswered(error):
                    self._note_silence(error, now)
                case Refused(error):
                    self._requested = 0
                    if not self.connected:
                        raise self._with_log(error.what, error.where, error.try_) from error
                    self._history = note_failure(self._history, Failure("", "", error.what), self._limits, now)
        self._end_what_is_lost(now)
        if not self._site.generate.adaptive:
            self._replenish(now)

    def end_worker(self, host: str, pid: int, worker: str) -> bool:
        member = self._roll.find(worker)
        if member is not None:
            self._doomed[member.address] = self._clock() + END_S
        return self._roll.end_worker(self.client, host, pid, worker)

    def _replenish(self, now: float) -> None:
        wanted = math.ceil(self.wanted / self._site.generate.workers_per_job)
        active = len(self._jobs) + self._requested
        self._desk.poll_s = QUICK_LOOK_S if self.connected < self.wanted else SLOW_LOOK_S
        decision = staff(self._history, active, wanted, self._limits, now)
        if decision.give_up and not self.connected:
            raise self._with_log(decision.give_up, "", "correct what the log says, then the same command again")
        excluded = (f"--exclude={','.join(self._history.excluded)}",) if self._history.excluded else ()
        for jobs in arrays(decision.submit, self._limits.max_array):
            self._requested += jobs
            request = Submit(jobs, excluded)
            self._tokens.add(request.token)
            self._desk.ask(request)

    def _take(self, jobs: Sequence[JobState], now: float) -> None:
        listed = {job.job_id: job for job in jobs}
        gone: list[EndedJob] = []
        for job_id in list(self._jobs):
            job = listed.get(job_id)
            if job is not None and not job.over:
                self._jobs[job_id] = job
                continue
            del self._jobs[job_id]
            self._absent.pop(job_id, None)
            gone.append(EndedJob(job_id, FORGOTTEN, "", ()) if job is None else _ended(job))
        for ended in to_judge(self._history, gone):
            self._judge(ended, now)

    def _judge(self, job: EndedJob, now: float) -> None:
        failure = judge(self._history, job)
        if failure is None:
            return
        before = self._history
        self._history = note_failure(before, failure, self._limits, now)
        self._on_event(AllocationFailed(failure.job_id, failure.node, failure.why))
        for node in self._history.excluded[len(before.excluded) :]:
            self._on_event(NodeExcluded(node, f"{self._history.node_failures[node]} worker jobs failed there"))

    def _end_what_is_lost(self, now: float) -> None:
        """Cancels jobs whose workers are gone for long, never came, or could not be killed otherwise."""
        lost: list[str] = []
        for job_id, job in self._jobs.items():
            if job is None or job.state != "RUNNING" or self._roll.workers_of(job_id):
                self._absent.pop(job_id, None)
                continue
            joined = job_id in self._history.joined
            patience_s = self._limits.lost_after_s + END_S if joined else SILENT_START_S
            if now - self._absent.setdefault(job_id, now) > patience_s:
                lost.append(job_id)
        for address, end in list(self._doomed.items()):
            member = self._roll.at(address)
            if member is None:
                del self._doomed[address]
            elif now > end:
                del self._doomed[address]
                lost.append(member.job_id)
        for job_id in lost:
            job = self._jobs.pop(job_id, None)
            self._absent.pop(job_id, None)
            if job is not None and job_id not in self._history.joined:
                self._judge(EndedJob(job_id, "FAILED", "", (job.nodes,)), now)
        if lost:
            self._desk.ask(Cancel(tuple(lost)))

    def _note_silence(self, error: XpshpcError, now: float) -> None:
        """SLURM may be away for as long as there are workers, or nobody has waited too long for it."""
        self._unanswered = now if self._unanswered is None else self._unanswered
        if not self.connected and now - self._unanswered >= self._limits.query_patience_s:
            raise error

    def _with_log(self, what: str, where: str, try_: str) -> EnvironmentFault:
        last = self._history.last
        if last is None:
            return EnvironmentFault(what, where=where, try_=try_)
        log = log_file(self._logs, last.job_id)
        tail = _tail(log)
        told = f"; the end of the last one's log:\n{tail}" if tail else "; the last one left no log"
        return EnvironmentFault(
            f"{what} (last: job {last.job_id}, {last.why}){told}", where=where or str(log), try_=try_
        )


def _ended(job: JobState) -> EndedJob:
    alone = job.nodes and not set(job.nodes) & set("[,")
    return EndedJob(job.job_id, job.state, job.reason, (job.nodes,) if alone else ())


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-TAIL_LINES:])
    except FileNotFoundError:
        return ""
