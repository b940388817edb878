"""Asynchronous successive halving: poor trials are stopped early (Li et al. 2020, arXiv:1810.05934).

Rungs stand at first_epochs, first_epochs·factor, … below a training's full epochs. A trial that reaches one waits
there, and goes on as soon as it is among the best 1/factor of all that have reached it by then; otherwise another one
begins. Nobody waits for a rung to be full: no worker is idle, and early promotions may prove to have been generous.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from xpshpc.config import JobFile, Search
from xpshpc.errors import UsageError
from xpshpc.search.metric import Metric
from xpshpc.search.repeats import RepeatedPoints
from xpshpc.search.state import State
from xpshpc.search.strategy import Move, Step, Told, TrialView


def rungs_below(epochs: int, first: int, factor: int) -> tuple[int, ...]:
    """The epochs after which trials of so many epochs are compared, rising: first·factorⁱ."""
    return tuple(takewhile(lambda rung: rung < epochs, (first * factor**power for power in range(epochs))))


def choose_rungs(job_file: JobFile, search: Search) -> tuple[int, ...]:
    """The rungs of a search with [search.halving]; none where it has not.

    Raises UsageError where trials are to differ in epochs, and where there are too few epochs for a single rung.
    """
    halving = search.halving
    if halving is None:
        return ()
    if any("train.epochs" in given for given in (search.parameters, *(point.parameters for point in search.points))):
        raise UsageError(
            "trials that differ in train.epochs cannot be compared half-way: each has a schedule of its own",
            where="search.halving",
            try_="a search without train.epochs among its parameters, or without [search.halving]",
        )
    epochs = job_file.job.train.epochs
    rungs = rungs_below(epochs, halving.first_epochs, halving.factor)
    if not rungs:
        raise UsageError(
            f"trials are first compared after {halving.first_epochs} epochs, and have no more than {epochs}",
            where="search.halving.first_epochs",
            try_=f"a number below {epochs}, or more train.epochs",
        )
    return rungs


@dataclass(frozen=True)
class SuccessiveHalving(RepeatedPoints):
    """First trainings climb the rungs; further ones of a point begin when its first is finished, and pause nowhere."""

    rungs: tuple[int, ...]
    factor: int
    metric: Metric

    def next_step(self, told: Told) -> Step | None:
        firsts = tuple(view for view in told.views if not view.trial.repeat)
        step = self._interrupted(told) or self._promoted(firsts)
        if step is None and told.may_begin and (trial := self.points.next_first(told)):
            step = Step(Move.BEGIN, trial, self.rungs[0])
        if step is None and not any(view.state is State.RUNNING for view in firsts):
            step = self._closed(firsts)
        if step is None and told.may_begin:
            finished = (view.trial for view in firsts if view.state is State.FINISHED)
            again = self.next_repeat(told, finished)
            step = Step(Move.BEGIN, again) if again else None
        return step

    def _interrupted(self, told: Told) -> Step | None:
        """The first trial that something ended between two rungs."""
        for view in told.views:
            if view.state in (State.PENDING, State.PAUSED) and not self._waits(view):
                return Step(Move.GO_ON, view.trial, self._rung_above(view))
        return None

    def _promoted(self, firsts: Sequence[TrialView]) -> Step | None:
        """The best trial that waits at the highest rung where one of the best 1/factor waits."""
        for rung in reversed(self.rungs):
            reached = self._reached(firsts, rung)
            for view in reached[: len(reached) // self.factor]:
                if self._waits(view) and self._rung_of(view) == rung:
                    return Step(Move.GO_ON, view.trial, self._rung_above(view))
        return None

    def _closed(self, firsts: Sequence[TrialView]) -> Step | None:
        """With nothing more to come: one trial at least is brought to its end, the others that wait are given up."""
        waiting = [view for rung in reversed(self.rungs) for view in self._waiting_at(firsts, rung)]
        if not waiting:
            return None
        best = waiting[0]
        if any(view.state is State.FINISHED for view in firsts):
            return Step(Move.GIVE_UP, best.trial)
        return Step(Move.GO_ON, best.trial, self._rung_above(best))

    def _waiting_at(self, firsts: Sequence[TrialView], rung: int) -> Iterator[TrialView]:
        """Best first."""
        return (view for view in self._reached(firsts, rung) if self._waits(view) and self._rung_of(view) == rung)

    def _reached(self, firsts: Sequence[TrialView], rung: int) -> list[TrialView]:
        """Those that have reached a rung and have not failed, best first; of equal ones, the one suggested earlier."""
        there = [
            view
            for view in firsts
            if view.state is not State.FAILED and (view.epochs_done >= rung or view.state is State.FINISHED)
        ]
        return sorted(there, key=lambda view: self.metric.order(self._value_at(view, rung)))

    def _value_at(self, view: TrialView, rung: int) -> float:
        """The best value up to a rung: that epoch's network is the one that is kept. NaN where there is none."""
        known = view.curve[:rung] if view.curve or view.value is None else (view.value,)
        return min((value for value in known if math.isfinite(value)), key=self.metric.order, default=math.nan)

    def _waits(self, view: TrialView) -> bool:
        """Whether a trial stands at a rung: it paused there, or ended with exactly as many epochs."""
        if view.trial.repeat:
            return False
        paused = view.state is State.PAUSED and view.epochs_done >= self.rungs[0]
        return paused or (view.state is State.PENDING and view.epochs_done in self.rungs)

    def _rung_of(self, view: TrialView) -> int:
        """The highest rung that a trial has reached; 0 for none."""
        return max((rung for rung in self.rungs if rung <= view.epochs_done), default=0)

    def _rung_above(self, view: TrialView) -> int | None:
        """Where a trial pauses next; None: nowhere, it goes to its end."""
        if view.trial.repeat:
            return None
        return next((rung for rung in self.rungs if rung > view.epochs_done), None)
