"""The journal of a study, steps.jsonl: which step began, ended or was stopped, what it took and what it answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpshpc.events import Event, read_events

JOURNAL = "steps.jsonl"


@dataclass(frozen=True)
class StepStarted(Event):
    """A step begins."""

    step: str


@dataclass(frozen=True)
class StepFinished(Event):
    """A step is done; `reused` tells that it had been before, and nothing was computed."""

    step: str
    reused: bool
    wall_s: float
    cpu_s: float
    peak_bytes: int
    disk_bytes: int


@dataclass(frozen=True)
class StepStopped(Event):
    """A step ended before it was done; the next call goes on with it."""

    step: str
    why: str
    wall_s: float
    cpu_s: float
    peak_bytes: int


@dataclass(frozen=True)
class StepCost:
    """What a step took over all calls in which it worked: seconds, core-seconds, most bytes of memory, bytes on the
    disk in the end."""

    step: str
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0
    disk_bytes: int = 0
    done: bool = False

    def after(self, event: Mapping[str, Any]) -> StepCost:
        """The cost with one more session of the step."""
        done = event["event"] == StepFinished.__name__
        if done and event["reused"]:
            # Nothing was made, so nothing takes more room; a lock may have been written anew.
            disk_bytes = self.disk_bytes or event["disk_bytes"]
            return StepCost(self.step, self.wall_s, self.cpu_s, self.peak_bytes, disk_bytes, True)
        return StepCost(
            self.step,
            self.wall_s + event["wall_s"],
            self.cpu_s + event["cpu_s"],
            max(self.peak_bytes, event["peak_bytes"]),
            event["disk_bytes"] if done else self.disk_bytes,
            done,
        )


def add_up(events: Iterable[Mapping[str, Any]]) -> dict[str, StepCost]:
    """What each step took, by its name, in the order in which they first ended."""
    costs: dict[str, StepCost] = {}
    for event in events:
        if event["event"] in (StepFinished.__name__, StepStopped.__name__):
            step = event["step"]
            costs[step] = costs.get(step, StepCost(step)).after(event)
    return costs


def read_costs(path: Path) -> dict[str, StepCost]:
    """The costs that the journal of a study tells."""
    return add_up(read_events(path / JOURNAL))


def step_under_way(path: Path) -> str | None:
    """The step that began and has not ended, as the journal tells; None for none."""
    under_way = None
    for event in read_events(path / JOURNAL):
        under_way = event["step"] if event["event"] == StepStarted.__name__ else None
    return under_way
