"""What attempts come to, told to the journal of a search; and how often in a row the machine was at fault."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from xpshpc.config import TrialAllowances
from xpshpc.errors import EnvironmentFault, UsageError, XpshpcError
from xpshpc.events import EventLog
from xpshpc.search.attempt import Failure
from xpshpc.search.crew import Ended
from xpshpc.search.events import (
    TrialFailed,
    TrialFinished,
    TrialLeft,
    TrialPaused,
    TrialReopened,
    TrialScored,
    TrialStarted,
    TrialStopped,
)
from xpshpc.search.ledger import Ledger
from xpshpc.search.policy import Cause, Decision, decide, pause_s
from xpshpc.search.room import Room
from xpshpc.search.state import State
from xpshpc.search.strategy import Step
from xpshpc.search.trial import Trial
from xpshpc.train.result import checkpoints_path, events_path


@dataclass
class Trouble:
    """Failures of the machine in a row, over all trials, and what ends the search, once something does.

    Nothing is begun before `not_before` (monotonic seconds).
    """

    failed_starts: int = 0
    counted_at: float = 0.0
    not_before: float = 0.0
    fatal: XpshpcError | None = None


@dataclass(frozen=True)
class Clerk:
    """Takes in what attempts in this `room` come to, and tells the journal, and the ledger by it."""

    ledger: Ledger
    room: Room
    allowances: TrialAllowances
    journal: EventLog
    monotonic: Callable[[], float] = time.monotonic
    trouble: Trouble = field(default_factory=Trouble)

    def recover(self, *, retry_failed: bool) -> None:
        """Closes what a coordinator left open that died; forgives failures, where that is asked for."""
        for trial in self.ledger.suggested.values():
            outcome = self.ledger.outcome(trial)
            if outcome.state is State.RUNNING:
                told = events_path(trial.run(self.ledger.run))
                lived_s = max(0.0, told.stat().st_mtime - outcome.since) if told.exists() else 0.0
                self.journal.emit(TrialLeft(trial.id, round(lived_s, 3), *self._hours(lived_s)))
            if retry_failed and outcome.state is State.FAILED:
                self.journal.emit(TrialReopened(trial.id))
            if retry_failed and outcome.unscored:
                self.journal.emit(TrialScored(trial.id))

    def start(self, step: Step) -> None:
        """A trial is about to be begun, or gone on with."""
        trial = step.trial
        suggested = self.ledger.suggest(trial)
        if suggested is not None:
            self.journal.emit(suggested)
        attempt = self.ledger.outcome(trial).attempts + 1
        self.journal.emit(TrialStarted(trial.id, dict(trial.parameters), trial.repeat, attempt, step.until_epoch))

    def give_up(self, trial: Trial) -> None:
        """A paused trial is not worth going on with."""
        self.journal.emit(TrialStopped(trial.id, self.ledger.outcome(trial).epochs))
        self._clear(trial)

    def take_in(self, ended: Ended) -> bool:
        """Tells the journal what an attempt came to. Returns whether somebody asked it, and so the search, to stop."""
        trial, answer = ended.trial, ended.answer
        outcome = self.ledger.outcome(trial)
        seconds, hours = round(ended.wall_s, 3), self._hours(answer.held_s)
        if outcome.state is State.FINISHED:
            # Only its scores were missing.
            why = answer.unscored if answer.failure is None else answer.failure.what
            self._tell_scores(ended, why)
        elif answer.failure is not None:
            self._tell_failure(ended, answer.failure)
        elif answer.finished:
            # The training's own time spans all its attempts, also those of which no end was told.
            in_all = round(max(outcome.seconds + ended.wall_s, answer.training_s), 3)
            self.journal.emit(
                TrialFinished(
                    trial.id,
                    dict(answer.validation),
                    answer.best_epoch,
                    answer.ranks,
                    in_all,
                    answer.epochs,
                    *hours,
                )
            )
            self.trouble.failed_starts = 0
            self._clear(trial)
            self._tell_scores(ended, answer.unscored)
        elif answer.epochs:
            self.journal.emit(TrialPaused(trial.id, answer.epochs, dict(answer.validation), seconds, *hours))
            self.trouble.failed_starts = 0
        else:
            self.journal.emit(TrialLeft(trial.id, seconds, *hours))
        return ended.stopped

    def _tell_scores(self, ended: Ended, why: str) -> None:
        if ended.answer.metrics is not None or why:
            self.journal.emit(TrialScored(ended.trial.id, dict(ended.answer.metrics or {}), why))

    def _tell_failure(self, ended: Ended, failure: Failure) -> None:
        trial, trouble = ended.trial, self.trouble
        if failure.cause is not Cause.ENVIRONMENT:
            trouble.failed_starts = 0
            failures = self.ledger.outcome(trial).failures.get(failure.cause, 0) + 1
        else:
            # Attempts side by side that meet the same trouble are one failure of the machine.
            trouble.failed_starts += ended.began >= trouble.counted_at
            failures = trouble.failed_starts
        decision = decide(failure.cause, failures, self.allowances)
        hours = self._hours(ended.answer.held_s)
        self.journal.emit(TrialFailed(trial.id, failure.cause, failure.what, decision, round(ended.wall_s, 3), *hours))
        if decision is Decision.STOP and trouble.fatal is None:
            trouble.fatal = _as_raised(failure)
        elif failure.cause is Cause.ENVIRONMENT:
            trouble.counted_at = self.monotonic()
            trouble.not_before = trouble.counted_at + pause_s(failure.cause, failures)

    def _hours(self, held_s: float) -> tuple[float, float]:
        return round(held_s * self.room.cores / 3600, 8), round(held_s * self.room.gpus / 3600, 8)

    def _clear(self, trial: Trial) -> None:
        # Only a training that goes on needs its checkpoints, and they are many times as large as the network.
        shutil.rmtree(checkpoints_path(trial.run(self.ledger.run)), ignore_errors=True)


def _as_raised(failure: Failure) -> XpshpcError:
    kind = UsageError if failure.cause is Cause.USAGE else EnvironmentFault
    return kind(failure.what, where=failure.where, try_=failure.try_)
