"""Progress of a search, in epochs over all its trials: its own events, made of those of the trainings."""

from __future__ import annotations

import time
from collections.abc import Callable

from xpshpc.events import Event, Listener, StageFinished, StageProgressed, StageStarted
from xpshpc.search.outcome import State
from xpshpc.search.result import SearchResult
from xpshpc.search.trial import Trial, describe_parameters
from xpshpc.train.history import EpochFinished

STAGE = "search"


class SearchProgress:
    """Tells a listener the stage "search"; the trainings' own stages, one after another, would bury it."""

    def __init__(self, listener: Listener | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._listener = listener
        self._clock = clock
        self._began = clock()
        self._done = 0
        self._note = ""

    def begin(self, standing: SearchResult) -> None:
        """The search begins, or goes on, as it stands."""
        self._began = self._clock()
        self.account(standing)
        self._tell(StageStarted(STAGE, sum(map(_epochs, standing.trials)), self._done, "epochs"))

    def account(self, standing: SearchResult) -> None:
        """Counts the trials that are over; they count whole, those that failed as well."""
        over = [trial for trial in standing.trials if standing.outcomes[trial.id].state is not State.PENDING]
        self._done = sum(map(_epochs, over))
        best = ""
        if standing.leaderboard:
            first = standing.leaderboard[0]
            best = f", best {standing.metric.name} {first.mean:.4g} ({describe_parameters(first.parameters)})"
        self._note = f"{len(over)} of {len(standing.trials)} trials{best}"

    def trial_over(self, standing: SearchResult) -> None:
        """A trial has ended."""
        self.account(standing)
        self._tell(StageProgressed(STAGE, self._done, self._note))

    def hear(self, event: Event) -> None:
        """Takes an event of the training that is under way."""
        if isinstance(event, EpochFinished):
            self._tell(StageProgressed(STAGE, self._done + event.epoch, self._note))

    def end(self) -> float:
        """The search ends for this call; returns its seconds."""
        wall_s = round(self._clock() - self._began, 3)
        self._tell(StageFinished(STAGE, wall_s))
        return wall_s

    def _tell(self, event: Event) -> None:
        if self._listener is not None:
            self._listener(event)


def _epochs(trial: Trial) -> int:
    return trial.job_file.job.train.epochs
