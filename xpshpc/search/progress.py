"""Progress of a search, in epochs over all its trials: events of its own, made of what the trainings have come to."""

from __future__ import annotations

import time
from collections.abc import Callable

from xpshpc.events import Event, Listener, StageFinished, StageProgressed, StageStarted
from xpshpc.search.result import SearchResult
from xpshpc.search.state import State
from xpshpc.search.trial import Trial, describe_parameters

STAGE = "search"


class SearchProgress:
    """Tells a listener the stage "search"; the trainings' own stages, beside one another, would bury it."""

    def __init__(self, listener: Listener | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._listener = listener
        self._clock = clock
        self._began = clock()
        self._over = 0
        self._begun: dict[str, float] = {}
        self._note = ""

    def begin(self, standing: SearchResult) -> None:
        """The search begins, or goes on, as it stands."""
        self._began = self._clock()
        self._account(standing)
        undecided = standing.undecided * max(map(_epochs, standing.trials), default=0)
        self._tell(StageStarted(STAGE, sum(map(_epochs, standing.trials)) + undecided, int(self._done), "epochs"))

    def trial_over(self, standing: SearchResult) -> None:
        """An attempt at a trial has ended."""
        self._account(standing)
        self._tell(StageProgressed(STAGE, self._done, self._note))

    def hear(self, trial: Trial, epochs: float) -> None:
        """Takes how many epochs a trial that is under way has come to."""
        # One that goes on from its last checkpoint repeats what came after it.
        self._begun[trial.id] = max(epochs, self._begun.get(trial.id, 0.0))
        self._tell(StageProgressed(STAGE, self._done, self._note))

    def end(self) -> float:
        """The search ends for this call; returns its seconds."""
        wall_s = round(self._clock() - self._began, 3)
        self._tell(StageFinished(STAGE, wall_s))
        return wall_s

    @property
    def _done(self) -> float:
        return self._over + sum(self._begun.values())

    def _account(self, standing: SearchResult) -> None:
        """Counts the trials that are over whole, those that failed or were stopped early as well."""
        over = []
        for trial in standing.trials:
            outcome = standing.outcomes[trial.id]
            if outcome.state in (State.FINISHED, State.FAILED, State.STOPPED):
                over.append(trial)
                self._begun.pop(trial.id, None)
            elif outcome.epochs:
                self._begun[trial.id] = max(outcome.epochs, self._begun.get(trial.id, 0.0))
        self._over = sum(map(_epochs, over))
        best = ""
        if standing.leaderboard:
            first = standing.leaderboard[0]
            best = f", best {standing.metric.name} {first.mean:.4g} ({describe_parameters(first.parameters)})"
        self._note = f"{len(over)} of {len(standing.trials) + standing.undecided} trials{best}"

    def _tell(self, event: Event) -> None:
        if self._listener is not None:
            self._listener(event)


def _epochs(trial: Trial) -> int:
    return trial.job_file.job.train.epochs
