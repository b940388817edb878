"""What became of each trial: the journal of a search, added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

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
from xpshpc.search.state import State


@dataclass(frozen=True)
class Outcome:
    """One trial: `attempts` begun, failures by cause, and the last failure's cause and words.

    `since` is when the last attempt began (epoch seconds), `until_epoch` where it is to pause. `epochs` and
    `validation` are the paused or finished training's. `seconds`, `core_hours` and `gpu_hours` are those of all
    attempts; `held_out` the scores on the held-out shards, `unscored` why there are none.
    """

    state: State = State.PENDING
    attempts: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    cause: str = ""
    why: str = ""
    since: float = 0.0
    until_epoch: int | None = None
    epochs: int = 0
    validation: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    core_hours: float = 0.0
    gpu_hours: float = 0.0
    held_out: Mapping[str, float] | None = None
    unscored: str = ""

    def after(self, event: Mapping[str, Any]) -> Outcome:
        """This outcome with one more line of the journal."""
        match event["event"]:
            case TrialStarted.__name__:
                return replace(
                    self,
                    state=State.RUNNING,
                    attempts=self.attempts + 1,
                    since=float(event["time"]),
                    until_epoch=event.get("until_epoch"),
                )
            case TrialPaused.__name__:
                return replace(
                    self._charged(event),
                    state=State.PAUSED,
                    epochs=event["epochs"],
                    validation=dict(event["validation"]),
                )
            case TrialStopped.__name__:
                return replace(self, state=State.STOPPED, epochs=event["epochs"])
            case TrialFinished.__name__:
                return replace(
                    self._charged(event),
                    state=State.FINISHED,
                    epochs=event.get("epochs", 0),
                    validation=dict(event["validation"]),
                    seconds=float(event["seconds"]),
                )
            case TrialScored.__name__:
                return replace(self, held_out=dict(event["metrics"]) or None, unscored=event["why"])
            case TrialFailed.__name__:
                failures = Counter(self.failures)
                failures[event["cause"]] += 1
                return replace(
                    self._charged(event),
                    state=State.FAILED if event["decision"] == "give_up" else State.PENDING,
                    failures=dict(failures),
                    cause=event["cause"],
                    why=event["why"],
                )
            case TrialLeft.__name__:
                return replace(self._charged(event), state=State.PENDING)
            case TrialReopened.__name__:
                return replace(
                    Outcome(attempts=self.attempts),
                    seconds=self.seconds,
                    core_hours=self.core_hours,
                    gpu_hours=self.gpu_hours,
                )
        return self

    def _charged(self, event: Mapping[str, Any]) -> Outcome:
        return replace(
            self,
            seconds=self.seconds + event.get("seconds", 0.0),
            core_hours=self.core_hours + event.get("core_hours", 0.0),
            gpu_hours=self.gpu_hours + event.get("gpu_hours", 0.0),
        )


def tell_outcomes(events: Iterable[Mapping[str, Any]]) -> dict[str, Outcome]:
    """The outcome of every trial that a journal speaks of."""
    outcomes: dict[str, Outcome] = {}
    for event in events:
        trial = event.get("trial")
        if isinstance(trial, str):
            outcomes[trial] = outcomes.get(trial, Outcome()).after(event)
    return outcomes
