"""How long it took to recover: from a strike to the next commit, and to as many workers as before it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

FELT_S = 20.0
"""Seconds in which a strike is felt, as a drop in the number of workers; one without a drop costs no strength."""


class Strength:
    """How many workers were connected when, by a run's events. A new coordinator begins with none."""

    def __init__(self, events: Iterable[Mapping[str, Any]]) -> None:
        self._times: list[float] = [-math.inf]
        self._counts: list[int] = [0]
        for event in events:
            count = self._counts[-1]
            match event["event"]:
                case "StageStarted":
                    count = 0
                case "WorkerJoined":
                    count += 1
                case "WorkerLeft":
                    count = max(count - 1, 0)
                case _:
                    continue
            self._times.append(event["time"])
            self._counts.append(count)

    def at(self, time: float) -> int:
        """The workers at a time, in seconds since the epoch."""
        return self._counts[bisect_right(self._times, time) - 1]

    def recovery_s(self, strike: float) -> float | None:
        """Seconds from a strike until as many workers as before it are connected; 0 if none was lost, None if the run
        ended before."""
        before = self.at(strike)
        fallen = False
        for time, count in zip(self._times, self._counts, strict=True):
            if time <= strike:
                continue
            if not fallen and time - strike > FELT_S:
                return 0.0
            if count < before:
                fallen = True
            elif fallen:
                return time - strike
        return None if fallen else 0.0

    def worker_seconds(self, end: float) -> float:
        """The time that all connected workers together were held until `end`: seconds on one core."""
        times = [*self._times[1:], end]
        return sum(count * (times[place + 1] - times[place]) for place, count in enumerate(self._counts[1:]))


def to_next_commit(strikes: Iterable[float], commits: Sequence[float]) -> list[float]:
    """Seconds from each strike to the first commit after it; those after the last commit are left out."""
    ordered = sorted(commits)
    places = ((strike, bisect_right(ordered, strike)) for strike in strikes)
    return [ordered[place] - strike for strike, place in places if place < len(ordered)]
