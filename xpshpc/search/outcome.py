"""What became of each trial: the journal of a search, added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from xpshpc.search.events import TrialFailed, TrialFinished, TrialReopened, TrialStarted


class State(StrEnum):
    """Where a trial stands; a pending one may have begun."""

    PENDING = "pending"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """One trial: `attempts` begun, failures by cause, and the last failure's cause and words."""

    state: State = State.PENDING
    attempts: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    cause: str = ""
    why: str = ""
    validation: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def after(self, event: Mapping[str, Any]) -> Outcome:
        """This outcome with one more line of the journal."""
        match event["event"]:
            case TrialStarted.__name__:
                return replace(self, attempts=self.attempts + 1)
            case TrialFinished.__name__:
                return replace(
                    self, state=State.FINISHED, validation=dict(event["validation"]), seconds=float(event["seconds"])
                )
            case TrialFailed.__name__:
                failures = Counter(self.failures)
                failures[event["cause"]] += 1
                state = State.FAILED if event["decision"] == "give_up" else self.state
                return replace(self, state=state, failures=dict(failures), cause=event["cause"], why=event["why"])
            case TrialReopened.__name__:
                return Outcome(attempts=self.attempts)
        return self


def tell_outcomes(events: Iterable[Mapping[str, Any]]) -> dict[str, Outcome]:
    """The outcome of every trial that a journal speaks of."""
    outcomes: dict[str, Outcome] = {}
    for event in events:
        trial = event.get("trial")
        if isinstance(trial, str):
            outcomes[trial] = outcomes.get(trial, Outcome()).after(event)
    return outcomes
