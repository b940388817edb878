"""A search without trainings: a strategy, workers, and what each training would come to."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from xpshpc.search.state import State
from xpshpc.search.strategy import Move, Step, Strategy, Told, TrialView
from xpshpc.search.trial import Trial

Curve = Callable[[Trial, int], float]
"""The metric of a trial after an epoch, from 1."""

_MOST_STEPS = 5_000


@dataclass
class SimulatedSearch:
    """Runs a strategy; `choose(n)` picks one of n running trials to end next, `end` tells how it ends.

    A training ends "well" (at its pause, or finished), "early" (finished by itself), "killed" half-way, or "failed".
    """

    strategy: Strategy
    epochs: int
    workers: int
    curve: Curve
    choose: Callable[[int], int] = lambda _: 0
    end: Callable[[Trial], str] = lambda _: "well"
    most_trials: int = 10**9
    views: list[TrialView] = field(default_factory=list)
    steps: list[tuple[Told, Step]] = field(default_factory=list)

    def told(self) -> Told:
        return Told(tuple(self.views), may_begin=len(self.views) < self.most_trials)

    def running(self) -> list[int]:
        return [place for place, view in enumerate(self.views) if view.state is State.RUNNING]

    def states(self) -> set[State]:
        return {view.state for view in self.views}

    def begun(self) -> list[Trial]:
        return [view.trial for view in self.views]

    def run(self) -> SimulatedSearch:
        """Until the strategy has nothing more to do."""
        for _ in range(_MOST_STEPS):
            step = self.strategy.next_step(self.told()) if len(self.running()) < self.workers else None
            if step is not None:
                self._take(step)
            elif self.running():
                running = self.running()
                self._end(running[self.choose(len(running))])
            else:
                return self
        raise AssertionError("the search does not come to an end")

    def _take(self, step: Step) -> None:
        self.steps.append((self.told(), step))
        there = [place for place, view in enumerate(self.views) if view.trial.id == step.trial.id]
        if step.move is Move.BEGIN:
            assert not there, "a trial is begun once"
            self.views.append(TrialView(step.trial, State.RUNNING, until_epoch=step.until_epoch))
            return
        (place,) = there
        view = self.views[place]
        assert view.state in (State.PENDING, State.PAUSED, State.STOPPED)
        if step.move is Move.GIVE_UP:
            self.views[place] = replace(view, state=State.STOPPED)
        else:
            assert step.until_epoch is None or step.until_epoch > view.epochs_done
            self.views[place] = replace(view, state=State.RUNNING, until_epoch=step.until_epoch)

    def _end(self, place: int) -> None:
        view = self.views[place]
        target = view.until_epoch or self.epochs
        how = self.end(view.trial)
        if how == "failed":
            self.views[place] = replace(view, state=State.FAILED)
            return
        reached = (view.epochs_done + target + 1) // 2 if how in ("killed", "early") else target
        curve = tuple(self.curve(view.trial, epoch) for epoch in range(1, reached + 1))
        if how == "killed":
            self.views[place] = replace(view, state=State.PENDING, curve=curve)
        elif how == "early" or view.until_epoch is None:
            self.views[place] = replace(view, state=State.FINISHED, curve=curve, value=curve[-1])
        else:
            self.views[place] = replace(view, state=State.PAUSED, curve=curve)


def falling(quality: Callable[[Trial], float]) -> Curve:
    """Losses that fall towards what a trial is good for; their order never changes."""
    return lambda trial, epoch: quality(trial) + math.exp(-epoch)
