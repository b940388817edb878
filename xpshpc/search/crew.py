"""The attempts under way: each a process of its own with a gang of ranks below it, and none outlives this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType

from xpshpc.errors import ExitCode
from xpshpc.events import Event, StageProgressed, StageStarted
from xpshpc.follow import Follower
from xpshpc.run_directory import RunDirectory
from xpshpc.search.attempt import Answer, Failure, Order, answer_path, order_words, read_answer
from xpshpc.search.policy import Cause
from xpshpc.search.trial import Trial
from xpshpc.train.result import events_path

_STOPPED = (ExitCode.DRAINED, -signal.SIGTERM)
"""How an attempt leaves that was asked to stop: in good order, or before it had anything to put in order."""

_TAIL_BYTES = 4096
_TAIL_LINES = 15

Hear = Callable[[Trial, float], None]


@dataclass(frozen=True)
class Ended:
    """An attempt that is over after `wall_s` seconds; `stopped`: because somebody asked it to."""

    trial: Trial
    order: Order
    answer: Answer
    stopped: bool
    began: float
    wall_s: float


@dataclass(frozen=True)
class _Attempt:
    trial: Trial
    folder: RunDirectory
    order: Order
    process: subprocess.Popen[bytes]
    follower: Follower
    began: float


@dataclass
class EpochCount:
    """Tells how many epochs a training has come to, by the steps that it tells of; all its steps make `epochs`."""

    epochs: int
    tell: Callable[[float], None]
    _steps: int = 0

    def hear(self, event: Event) -> None:
        """Takes an event of a stage; those of other stages are passed over."""
        if isinstance(event, StageStarted) and event.stage == "train":
            self._steps = event.total
        if isinstance(event, StageStarted | StageProgressed) and event.stage == "train" and self._steps:
            self.tell(self.epochs * event.done / self._steps)


@dataclass(eq=False)
class Crew:
    """Attempts that run side by side. To be used as a block, at whose end none is left.

    `hear` is told how many epochs a trial has come to, fractions counted.
    """

    hear: Hear
    clock: Callable[[], float] = time.monotonic
    _attempts: list[_Attempt] = field(default_factory=list)

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        # Whoever is left is killed: a rank is tethered to its attempt, and its checkpoint is as good as any.
        for attempt in self._attempts:
            _kill_session(attempt.process)
        self._attempts.clear()

    def __len__(self) -> int:
        return len(self._attempts)

    @property
    def trials(self) -> dict[str, float]:
        """The trials under way by their ids, with the seconds since their attempt began."""
        now = self.clock()
        return {attempt.trial.id: now - attempt.began for attempt in self._attempts}

    def begin(self, trial: Trial, folder: RunDirectory, order: Order) -> None:
        """Starts an attempt at the trial whose folder is prepared."""
        answer_path(folder).unlink(missing_ok=True)
        events_path(folder).unlink(missing_ok=True)
        folder.logs.mkdir(parents=True, exist_ok=True)
        tether = [sys.executable, "-P", "-m", "xpshpc.cluster.tether", str(os.getpid())]
        with _log(folder).open("wb") as log:
            process = subprocess.Popen(
                [*tether, *order_words(folder, order)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        count = EpochCount(order.until_epoch or trial.job_file.job.train.epochs, lambda done: self.hear(trial, done))
        follower = Follower(events_path(folder), (StageStarted, StageProgressed), count.hear)
        self._attempts.append(_Attempt(trial, folder, order, process, follower, self.clock()))

    def ended(self) -> list[Ended]:
        """The attempts that have ended since the last call, after what they told last was passed on."""
        over = [attempt for attempt in self._attempts if attempt.process.poll() is not None]
        for attempt in self._attempts:
            attempt.follower.pass_on()
        self._attempts = [attempt for attempt in self._attempts if attempt not in over]
        return [self._end(attempt) for attempt in over]

    def drain(self) -> None:
        """Asks every attempt to stop in good order."""
        for attempt in self._attempts:
            attempt.process.send_signal(signal.SIGTERM)

    def _end(self, attempt: _Attempt) -> Ended:
        _kill_session(attempt.process)
        code = attempt.process.returncode
        wall_s = self.clock() - attempt.began
        stopped = code in _STOPPED
        answer = read_answer(attempt.folder)
        if answer is None:
            answer = Answer(wall_s, failure=None if stopped else _death(code, attempt.folder))
        elif code != ExitCode.DONE and not stopped:
            # The network was there already: it is the scores that its process died of.
            answer = replace(answer, unscored=_death(code, attempt.folder).what)
        return Ended(attempt.trial, attempt.order, answer, stopped, attempt.began, wall_s)


def _death(code: int, folder: RunDirectory) -> Failure:
    """The failure of an attempt whose process ended without an answer."""
    log = _log(folder)
    again = "the same command again"
    if code < 0:
        what = f"the process that looked after the trial's ranks was ended by {signal.Signals(-code).name}"
        return Failure(Cause.KILLED, what, str(log), f"{again}; with fewer trials at a time if memory ran out")
    tail = "\n".join(log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").splitlines()[-_TAIL_LINES:])
    what = f"the process that looked after the trial's ranks left with exit code {code}; the end of its log:\n{tail}"
    return Failure(Cause.CRASH, what, str(log), again)


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
    finally:
        process.wait()


def _log(folder: RunDirectory) -> Path:
    return folder.logs / "attempt.log"
