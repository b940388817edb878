"""A stage within its SLURM job: started, told to stop before the time is up, and put back into the queue to go on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from xpshpc.cluster.site import Limits
from xpshpc.cluster.slurm.client import Slurm, SlurmRefused, SlurmUnreachable, own_job, restarts
from xpshpc.cluster.slurm.deadline import Deadline
from xpshpc.cluster.submission.ending import Ending, Outcome, Verdict, exit_status, judge_ending
from xpshpc.cluster.submission.history import JobEvent, What, append_event, count_charged, read_history
from xpshpc.errors import EnvironmentFault

_POLL_S = 0.1
_LAST_MOMENT_S = 10.0
"""Before the time limit a stage that still runs is killed: the job goes back into the queue and does not end there."""

_LINGER_S = 60.0
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


@dataclass(frozen=True)
class BatchJob:
    """One life of a stage's job. `job_id` is None outside SLURM: then the stage is only run and its end passed on."""

    stage: str
    run: Path
    job_id: str | None
    restart: int
    limits: Limits
    slurm: Slurm
    now: Callable[[], float] = time.time

    @classmethod
    def of_this_process(cls, stage: str, run: Path, limits: Limits, environment: Mapping[str, str]) -> BatchJob:
        """The job that this process runs in, by SLURM's variables."""
        slurm = Slurm(patience_s=limits.query_patience_s)
        return cls(stage, run, own_job(environment), restarts(environment), limits, slurm)

    def attend(self, command: Sequence[str]) -> int:
        """Runs the stage's command and settles what becomes of the job. Returns the exit code for the batch script.

        Where the job goes back into the queue, SLURM ends this process meanwhile.
        """
        with _stop_requests() as stop:
            if self.job_id is None:
                return exit_status(run_command(command, stop, Deadline(None), self.now))
            self._tell("started", "")
            ending = run_command(command, stop, Deadline.of_this_job(), self.now)
            charged = count_charged(read_history(self.run), self.job_id)
            verdict = judge_ending(ending, charged, self.limits.restarts)
            if verdict.outcome is Outcome.REQUEUE:
                self._requeue(verdict)
            else:
                self._tell("finished" if verdict.outcome is Outcome.FINISHED else "failed", verdict.why)
        return 0 if verdict.outcome is Outcome.FINISHED else exit_status(ending)

    def _requeue(self, verdict: Verdict) -> None:
        """Puts the job back into the queue, unless SLURM is about to end it: whoever cancelled it means that."""
        assert self.job_id is not None
        for number in _STOP_SIGNALS:  # SLURM signals the whole job when it takes it back; its commands inherit this
            signal.signal(number, signal.SIG_IGN)
        try:
            if not _runs_on(self.slurm, self.job_id):
                self._tell("failed", f"{verdict.why.partition(';')[0]}; SLURM is ending the job")
                return
            self._tell("requeued", verdict.why, charged=verdict.charged)
            self.slurm.requeue(self.job_id)
        except (SlurmRefused, SlurmUnreachable) as error:
            self._tell("failed", f"{verdict.why}; not put back into the queue: {error.what}")
            raise EnvironmentFault(
                f"the job could not be put back into the queue: {error.what}",
                where=f"job {self.job_id}",
                try_=f"xpshpc submit {self.run}, which goes on where this stopped",
            ) from None
        if verdict.delay_s:
            with suppress(SlurmRefused, SlurmUnreachable):  # then the next life begins sooner, which harms nobody
                self.slurm.update(self.job_id, StartTime=f"now+{round(verdict.delay_s)}")
        time.sleep(_LINGER_S)

    def _tell(self, what: What, why: str, *, charged: bool = False) -> None:
        event = JobEvent(
            round(self.now(), 3), self.stage, self.job_id or "", self.restart, what, why, socket.gethostname(), charged
        )
        with suppress(OSError):  # a full disk, above all: the work counts, not its history
            append_event(self.run, event)


def run_command(
    command: Sequence[str], stop: Sequence[int], deadline: Deadline, now: Callable[[], float] = time.time
) -> Ending:
    """Runs a command in a session of its own and waits for its end.

    It gets SIGTERM once `stop` holds anything, and SIGKILL shortly before the deadline. What it leaves behind in its
    session dies with it, and it dies with this process.
    """
    began = time.monotonic()
    asked = False
    tether = [sys.executable, "-m", "xpshpc.cluster.tether", str(os.getpid()), *command]
    process = subprocess.Popen(tether, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        while process.poll() is None:
            if stop and not asked:
                asked = True
                process.send_signal(signal.SIGTERM)
            if deadline.left_s(now()) < _LAST_MOMENT_S:
                asked = True
                process.kill()
            time.sleep(_POLL_S)
    finally:
        _kill_group(process.pid)
        process.wait()
    return Ending(process.returncode, time.monotonic() - began, asked)


def _runs_on(slurm: Slurm, job_id: str) -> bool:
    """Whether SLURM wants this job to run; one that was cancelled, or that SLURM takes back itself, is completing."""
    return any(job.state == "RUNNING" for job in slurm.jobs([job_id]))


@contextmanager
def _stop_requests() -> Iterator[list[int]]:
    """The signals that asked this process to stop: SIGTERM, SIGINT, SIGUSR1."""
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    before = {number: signal.signal(number, ask) for number in _STOP_SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
