"""What is decided in a search, and from what: which training is begun, gone on with or given up next.

A strategy is made of two parts: where the points come from (points spelt out, a grid, random draws, TPE), and how far
each is trained (to its end, or from rung to rung of successive halving). Neither holds state, reads files or clocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Protocol

from xpshpc.search.state import State
from xpshpc.search.trial import Trial


@dataclass(frozen=True)
class TrialView:
    """What a strategy knows of one trial.

    `curve` is the metric after each epoch so far, `value` the finished training's. `until_epoch` is for a running
    trial: the epoch at whose end it will pause (None: it goes to its end).
    """

    trial: Trial
    state: State
    curve: Sequence[float] = ()
    value: float | None = None
    until_epoch: int | None = None

    @property
    def epochs_done(self) -> int:
        return len(self.curve)


@dataclass(frozen=True)
class Told:
    """All trials that were suggested so far, in order of suggestion; `may_begin`: the budget has room for another."""

    views: tuple[TrialView, ...] = ()
    may_begin: bool = True

    @cached_property
    def ids(self) -> frozenset[str]:
        """The names of the suggested trials."""
        return frozenset(view.trial.id for view in self.views)


class Move(Enum):
    """What is done with a trial: begun, gone on with from where it stands, or given up for being poor."""

    BEGIN = "begin"
    GO_ON = "go_on"
    GIVE_UP = "give_up"


@dataclass(frozen=True)
class Step:
    """The next thing to do; `until_epoch` is where the training is to pause (None: it goes to its end)."""

    move: Move
    trial: Trial
    until_epoch: int | None = None


class Strategy(Protocol):
    """A way of searching."""

    @property
    def trials(self) -> tuple[Trial, ...]:
        """The trials that the job alone tells, in the order in which they are begun. TPE's own are not among them."""
        ...

    @property
    def examples(self) -> tuple[Trial, ...]:
        """Trials to be checked before any is begun: among them every listed value, and both ends of every span."""
        ...

    @property
    def most_trials(self) -> int:
        """How many trials there will be in all, at most."""
        ...

    def belongs(self, trial: Trial) -> bool:
        """Whether a trial that a journal tells of is one that this search could have suggested."""
        ...

    def next_step(self, told: Told) -> Step | None:
        """What to do now; None: nothing as long as no running trial ends, and if none runs, the search is complete."""
        ...


class Points(Protocol):
    """Where the points of a search come from. A point is known by its first training."""

    @property
    def firsts(self) -> tuple[Trial, ...]:
        """The first trainings that the job alone tells, in order."""
        ...

    @property
    def examples(self) -> tuple[Trial, ...]:
        """As of the strategy."""
        ...

    @property
    def most_points(self) -> int:
        """How many points there will be in all, at most."""
        ...

    def belongs(self, trial: Trial) -> bool:
        """Whether this first training is one of a point of these."""
        ...

    def next_first(self, told: Told) -> Trial | None:
        """The first training of the next new point; None where there is none."""
        ...
