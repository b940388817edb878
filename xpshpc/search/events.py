"""What the journal of a search holds: search/journal.jsonl, written by the one process that coordinates it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xpshpc.events import Event


@dataclass(frozen=True)
class SearchStarted(Event):
    """A coordinator begins; `job_id` is its SLURM job (empty: none), the same when that is put back into the queue."""

    trials: int
    done: int
    job_id: str


@dataclass(frozen=True)
class TrialStarted(Event):
    """A trial's ranks are about to be started, or started again."""

    trial: str
    parameters: dict[str, Any]
    repeat: int
    attempt: int


@dataclass(frozen=True)
class TrialFinished(Event):
    """A trial's network is trained. `seconds` is what the training took in all, over all its attempts."""

    trial: str
    validation: dict[str, float]
    best_epoch: int
    ranks: int
    seconds: float


@dataclass(frozen=True)
class TrialFailed(Event):
    """An attempt failed. `decision` is what follows: again, given up, or stop."""

    trial: str
    cause: str
    why: str
    decision: str


@dataclass(frozen=True)
class TrialReopened(Event):
    """The failures of a trial are forgiven: it was asked to be tried again."""

    trial: str


@dataclass(frozen=True)
class SearchEnded(Event):
    """The coordinator ends in good order; `why` is one of complete, enough_trials, out_of_time, stopped."""

    why: str
    wall_s: float
