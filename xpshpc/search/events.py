"""What the journal of a search holds: search/journal.jsonl, written by the one process that coordinates it.

`seconds` of an attempt are its wall clock, waiting for nodes included; `core_hours` and `gpu_hours` are what its ranks
held.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from xpshpc.events import Event


@dataclass(frozen=True)
class SearchStarted(Event):
    """A coordinator begins; `job_id` is its SLURM job (empty: none), the same when that is put back into the queue.

    `parallel` is the number of trials for which there is room at a time; `note` says why, where more were asked for.
    """

    trials: int
    done: int
    job_id: str
    parallel: int = 1
    note: str = ""


@dataclass(frozen=True)
class TrialSuggested(Event):
    """A trial is decided on, the `number`-th from 0, by `source`: point, grid, random or tpe."""

    trial: str
    number: int
    parameters: dict[str, Any]
    repeat: int
    name: str
    source: str


@dataclass(frozen=True)
class TrialStarted(Event):
    """A trial's ranks are about to be started, or started again; `until_epoch` is where they pause (None: nowhere)."""

    trial: str
    parameters: dict[str, Any]
    repeat: int
    attempt: int
    until_epoch: int | None = None


@dataclass(frozen=True)
class TrialPaused(Event):
    """A trial waits after `epochs` epochs to be compared with others; `validation` is that of the last of them."""

    trial: str
    epochs: int
    validation: dict[str, float]
    seconds: float = 0.0
    core_hours: float = 0.0
    gpu_hours: float = 0.0


@dataclass(frozen=True)
class TrialStopped(Event):
    """A paused trial is not worth going on with."""

    trial: str
    epochs: int


@dataclass(frozen=True)
class TrialFinished(Event):
    """A trial's network is trained. `seconds` is what the training took in all, over all its attempts."""

    trial: str
    validation: dict[str, float]
    best_epoch: int
    ranks: int
    seconds: float
    epochs: int = 0
    core_hours: float = 0.0
    gpu_hours: float = 0.0


@dataclass(frozen=True)
class TrialScored(Event):
    """A trial's network was scored on the held-out shards; `why` tells what kept it from that, and is empty else."""

    trial: str
    metrics: dict[str, float] = field(default_factory=dict)
    why: str = ""


@dataclass(frozen=True)
class TrialFailed(Event):
    """An attempt failed. `decision` is what follows: again, give_up, or stop."""

    trial: str
    cause: str
    why: str
    decision: str
    seconds: float = 0.0
    core_hours: float = 0.0
    gpu_hours: float = 0.0


@dataclass(frozen=True)
class TrialLeft(Event):
    """An attempt ended before its training did, and nothing failed: asked to stop, or its coordinator died."""

    trial: str
    seconds: float = 0.0
    core_hours: float = 0.0
    gpu_hours: float = 0.0


@dataclass(frozen=True)
class TrialReopened(Event):
    """The failures of a trial are forgiven: it was asked to be tried again."""

    trial: str


@dataclass(frozen=True)
class SearchEnded(Event):
    """The coordinator ends in good order; `why` is complete, stopped, or what there was no more of in the budget."""

    why: str
    wall_s: float
