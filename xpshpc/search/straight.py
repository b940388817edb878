"""Every trial is trained to its end."""

from __future__ import annotations

from dataclasses import dataclass

from xpshpc.search.repeats import RepeatedPoints
from xpshpc.search.state import State
from xpshpc.search.strategy import Move, Step, Told

_UNFINISHED = (State.PENDING, State.PAUSED, State.STOPPED)


@dataclass(frozen=True)
class Straight(RepeatedPoints):
    """Trials one after another; those that successive halving left unfinished are gone on with as well."""

    def next_step(self, told: Told) -> Step | None:
        for view in told.views:
            if view.state in _UNFINISHED:
                return Step(Move.GO_ON, view.trial)
        if not told.may_begin:
            return None
        firsts = (view.trial for view in told.views if not view.trial.repeat)
        trial = self.points.next_first(told) or self.next_repeat(told, firsts)
        return Step(Move.BEGIN, trial) if trial else None
