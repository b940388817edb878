"""How a search stands, read from its journal and its trials alone: nothing is started or changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from xpshpc.config import JobFile, Search
from xpshpc.errors import UsageError
from xpshpc.events import read_events
from xpshpc.run_directory import RunDirectory
from xpshpc.search.best import best_folder
from xpshpc.search.grid import lay_out_grid
from xpshpc.search.leaderboard import Standing, rank_points
from xpshpc.search.metric import Metric, choose_metric
from xpshpc.search.outcome import Outcome, State, tell_outcomes
from xpshpc.search.strategy import Strategy
from xpshpc.search.trial import Trial
from xpshpc.train.result import card_path


@dataclass(frozen=True)
class SearchResult:
    """A search so far: its trials with what became of each, and its points, best first.

    `ended` tells why the last call ended (None: it did not, or there was none).
    """

    run: str
    metric: Metric
    trials: tuple[Trial, ...]
    outcomes: Mapping[str, Outcome]
    leaderboard: tuple[Standing, ...]
    model: Path
    ended: str | None

    def count(self, state: State) -> int:
        """How many trials stand so."""
        return sum(self.outcomes[trial.id].state is state for trial in self.trials)

    @property
    def done(self) -> int:
        """Trials that are over, well or not."""
        return len(self.trials) - self.count(State.PENDING)

    @property
    def trial_seconds(self) -> list[float]:
        """What each finished trial took."""
        told = (self.outcomes[trial.id] for trial in self.trials)
        return [outcome.seconds for outcome in told if outcome.state is State.FINISHED]

    @property
    def seconds_to_come(self) -> float | None:
        """What the pending trials will take, by the mean of the finished ones; None before one has finished."""
        seconds = self.trial_seconds
        return fmean(seconds) * self.count(State.PENDING) if seconds else None

    def as_json(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "metric": self.metric.name,
            "goal": self.metric.goal,
            "trials": len(self.trials),
            "finished": self.count(State.FINISHED),
            "failed": self.count(State.FAILED),
            "pending": self.count(State.PENDING),
            "ended": self.ended,
            "seconds": round(sum(self.trial_seconds), 3),
            "seconds_to_come": self.seconds_to_come,
            "best": self._best(),
            "leaderboard": [point.as_json() for point in self.leaderboard],
            "failures": [
                {
                    "id": trial.id,
                    "parameters": dict(trial.parameters),
                    "repeat": trial.repeat,
                    "state": str(self.outcomes[trial.id].state),
                    "cause": self.outcomes[trial.id].cause,
                    "why": self.outcomes[trial.id].why,
                }
                for trial in self.trials
                if self.outcomes[trial.id].cause
            ],
        }

    def _best(self) -> dict[str, Any] | None:
        if not self.leaderboard:
            return None
        first = self.leaderboard[0]
        return {
            "id": first.trials[0],
            "parameters": dict(first.parameters),
            "metric": self.metric.name,
            "value": first.values[0],
            "validation": dict(self.outcomes[first.trials[0]].validation),
            "model": str(self.model),
        }


def journal_path(run: RunDirectory) -> Path:
    """Where a search tells what it did."""
    return run.search / "journal.jsonl"


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
    """The way of searching that the job asks for."""
    return lay_out_grid(job_file, search_section(job_file))


def read_search(run: RunDirectory, job_file: JobFile) -> SearchResult:
    """The state of the search that a job describes; all of it pending where none has begun.

    Raises UsageError where the job has no [search], or one that cannot be taken.
    """
    return tally_search(run, choose_strategy(job_file).trials, choose_metric(search_section(job_file)))


def tally_search(run: RunDirectory, trials: Sequence[Trial], metric: Metric) -> SearchResult:
    """The state of these trials; what the journal tells of others is passed over."""
    events = list(read_events(journal_path(run)))
    told = tell_outcomes(events)
    outcomes = {trial.id: _still(trial.run(run), told.get(trial.id, Outcome())) for trial in trials}
    ended = events[-1]["why"] if events and events[-1]["event"] == "SearchEnded" else None
    return SearchResult(
        str(run.path),
        metric,
        tuple(trials),
        outcomes,
        rank_points(trials, outcomes, metric),
        best_folder(run) / run.model.name,
        ended,
    )


def _still(trial: RunDirectory, outcome: Outcome) -> Outcome:
    """A trial whose network somebody removed is to be trained again."""
    there = trial.model.is_file() and card_path(trial).is_file()
    return outcome if outcome.state is not State.FINISHED or there else replace(outcome, state=State.PENDING)
