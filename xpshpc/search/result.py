"""How a search stands, read from its journal and its trials alone: nothing is started or changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from xpshpc.config import JobFile, Search
from xpshpc.errors import UsageError
from xpshpc.run_directory import RunDirectory
from xpshpc.search.best import best_folder
from xpshpc.search.layout import lay_out_search
from xpshpc.search.leaderboard import Standing, rank_points
from xpshpc.search.ledger import Ledger, open_ledger
from xpshpc.search.metric import Metric, choose_metric
from xpshpc.search.outcome import Outcome
from xpshpc.search.state import State
from xpshpc.search.strategy import Strategy
from xpshpc.search.trial import Trial
from xpshpc.store.lease import read_owner

_OVER = (State.FINISHED, State.FAILED, State.STOPPED)


@dataclass(frozen=True)
class SearchResult:
    """A search so far: its trials with what became of each, and its points, best first.

    `most_trials` is how many there will be at most, those included that are not decided on yet. `ended` tells why the
    last call ended (None: it did not, or there was none), `parallel` for how many trials there was room at a time.
    """

    run: str
    metric: Metric
    trials: tuple[Trial, ...]
    most_trials: int
    outcomes: Mapping[str, Outcome]
    leaderboard: tuple[Standing, ...]
    model: Path
    ended: str | None
    parallel: int

    def count(self, state: State) -> int:
        """How many trials stand so; those not decided on yet are pending."""
        known = sum(self.outcomes[trial.id].state is state for trial in self.trials)
        return known + self.undecided if state is State.PENDING else known

    @property
    def undecided(self) -> int:
        """Trials that are still to be drawn."""
        return max(0, self.most_trials - len(self.trials))

    @property
    def done(self) -> int:
        """Trials that are over, well or not."""
        return sum(map(self.count, _OVER))

    @property
    def trial_seconds(self) -> list[float]:
        """What each finished trial took."""
        told = (self.outcomes[trial.id] for trial in self.trials)
        return [outcome.seconds for outcome in told if outcome.state is State.FINISHED]

    @property
    def seconds_to_come(self) -> float | None:
        """What the trials that are not over will take, by the mean of the finished ones; None before one has finished.

        For successive halving, which ends most of them early, it is the most they can take.
        """
        seconds = self.trial_seconds
        left = len(self.trials) + self.undecided - self.done
        return fmean(seconds) * left / self.parallel if seconds else None

    def as_json(self) -> dict[str, Any]:
        told = [(trial, self.outcomes[trial.id]) for trial in self.trials]
        return {
            "run": self.run,
            "metric": self.metric.name,
            "goal": self.metric.goal,
            "trials": len(self.trials) + self.undecided,
            **{str(state): self.count(state) for state in State},
            "ended": self.ended,
            "parallel": self.parallel,
            "seconds": round(sum(self.trial_seconds), 3),
            "seconds_to_come": self.seconds_to_come,
            "core_hours": round(sum(outcome.core_hours for _, outcome in told), 6),
            "gpu_hours": round(sum(outcome.gpu_hours for _, outcome in told), 6),
            "best": self._best(),
            "leaderboard": [point.as_json() for point in self.leaderboard],
            "unfinished": [
                {
                    **_name(trial, outcome),
                    "epochs": outcome.epochs,
                    "value": self.metric.of(outcome.validation),
                    "core_hours": round(outcome.core_hours, 6),
                }
                for trial, outcome in told
                if outcome.state in (State.RUNNING, State.PAUSED, State.STOPPED)
            ],
            "failures": [
                {**_name(trial, outcome), "cause": outcome.cause, "why": outcome.why}
                for trial, outcome in told
                if outcome.cause
            ],
            "unscored": [
                {**_name(trial, outcome), "why": outcome.unscored} for trial, outcome in told if outcome.unscored
            ],
        }

    def _best(self) -> dict[str, Any] | None:
        if not self.leaderboard:
            return None
        first = self.leaderboard[0]
        outcome = self.outcomes[first.trials[0]]
        return {
            "id": first.trials[0],
            "name": first.name,
            "parameters": dict(first.parameters),
            "metric": self.metric.name,
            "value": first.values[0],
            "validation": dict(outcome.validation),
            "held_out": dict(outcome.held_out or {}),
            "model": str(self.model),
        }


def _name(trial: Trial, outcome: Outcome) -> dict[str, Any]:
    return {
        "id": trial.id,
        "name": trial.name,
        "parameters": dict(trial.parameters),
        "repeat": trial.repeat,
        "state": str(outcome.state),
    }


def search_section(job_file: JobFile) -> Search:
    """The job's [search] section. Raises UsageError where it has none."""
    if job_file.job.search is None:
        raise UsageError(
            "this job says nothing of a search",
            where="search",
            try_='a section [search] with parameters = { "train.learning_rate" = [1e-3, 3e-3] }',
        )
    return job_file.job.search


def choose_strategy(job_file: JobFile) -> Strategy:
    """The way of searching that the job asks for. Raises UsageError where it cannot be taken."""
    return lay_out_search(job_file, search_section(job_file))


def read_search(run: RunDirectory, job_file: JobFile) -> SearchResult:
    """The state of the search that a job describes; all of it pending where none has begun.

    Raises UsageError where the job has no [search], or one that cannot be taken.
    """
    asked = search_section(job_file)
    owner = read_owner(run, stage="search")
    coordinated = owner is not None and owner[1]
    ledger = open_ledger(run, job_file, choose_strategy(job_file), choose_metric(asked), coordinated=coordinated)
    return sum_up(ledger, asked)


def sum_up(ledger: Ledger, asked: Search) -> SearchResult:
    """What a ledger comes to."""
    trials = ledger.trials
    outcomes = {trial.id: ledger.outcome(trial) for trial in trials}
    return SearchResult(
        run=str(ledger.run.path),
        metric=ledger.metric,
        trials=trials,
        most_trials=ledger.strategy.most_trials,
        outcomes=outcomes,
        leaderboard=rank_points(trials, outcomes, ledger.metric, asked.points),
        model=best_folder(ledger.run) / ledger.run.model.name,
        ended=ledger.ended,
        parallel=ledger.parallel,
    )
