"""A search as its report tells it: each trial's settings, curve, end and cost, read once. Nothing is computed anew."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from xpshpc.config import JobFile
from xpshpc.report.parameters import VariedParameter, find_varied
from xpshpc.run_directory import RunDirectory
from xpshpc.search.ledger import journal_path
from xpshpc.search.metric import Metric
from xpshpc.search.result import SearchResult, read_search
from xpshpc.search.state import State
from xpshpc.search.trial import Trial, describe_parameters
from xpshpc.train.history import history_path, read_history


@dataclass(frozen=True)
class TrialStory:
    """One trial that was begun.

    `values` holds every parameter of the search by dotted key, also those that the trial has from the job; `curve` the
    metric after each epoch. `value` is the finished network's, or the last one of a trial that is not finished (None:
    no number); `held_out` the metric on the held-out shards, where it was scored.
    """

    id: str
    label: str
    values: Mapping[str, Any]
    state: State
    curve: tuple[float, ...]
    value: float | None
    held_out: float | None
    core_hours: float

    @property
    def finished(self) -> bool:
        """Whether it can be compared: a network, and a number."""
        return self.state is State.FINISHED and self.value is not None


@dataclass(frozen=True)
class SearchStory:
    """A search with its trials in the order in which they were begun.

    `drawn`: its points are not a grid or spelt out. `best` is the best trial, None before one finished.
    """

    result: SearchResult
    trials: tuple[TrialStory, ...]
    drawn: bool
    best: Trial | None

    @property
    def metric(self) -> Metric:
        return self.result.metric

    @cached_property
    def varied(self) -> tuple[VariedParameter, ...]:
        """The parameters that are not the same in all trials that were begun."""
        return find_varied([trial.values for trial in self.trials])

    @property
    def finished(self) -> list[TrialStory]:
        """The finished trials, best first."""
        return sorted(
            (trial for trial in self.trials if trial.finished), key=lambda trial: self.metric.order(trial.value or 0.0)
        )


def read_search_story(run: RunDirectory, job_file: JobFile) -> SearchStory | None:
    """The story of a run's search; None where the job has none. Raises UsageError for a search that cannot be taken."""
    asked = job_file.job.search
    if asked is None:
        return None
    result = read_search(run, job_file)
    keys = tuple(dict.fromkeys(key for trial in result.trials for key in trial.parameters))
    begun = [trial for trial in result.trials if result.outcomes[trial.id].attempts]
    stories = tuple(_tell_trial(run, trial, result, keys) for trial in begun)
    drawn = asked.strategy != "grid"
    return SearchStory(result, stories, drawn, _find_best(result))


def has_begun(run: RunDirectory) -> bool:
    """Whether the run has a search that was ever begun."""
    return journal_path(run).is_file()


def _find_best(result: SearchResult) -> Trial | None:
    if not result.leaderboard:
        return None
    best = result.leaderboard[0].trials[0]
    return next(trial for trial in result.trials if trial.id == best)


def _tell_trial(run: RunDirectory, trial: Trial, result: SearchResult, keys: tuple[str, ...]) -> TrialStory:
    outcome, metric = result.outcomes[trial.id], result.metric
    curve = tuple(metric.of(epoch.validation) for epoch in read_history(history_path(trial.run(run))))
    value = metric.of(outcome.validation) if outcome.state is State.FINISHED else (math.nan, *curve)[-1]
    held_out = (outcome.held_out or {}).get(metric.name)
    return TrialStory(
        id=trial.id,
        label=trial.name or describe_parameters(trial.parameters),
        values=_all_values(trial, keys),
        state=outcome.state,
        curve=curve,
        value=value if math.isfinite(value) else None,
        held_out=held_out,
        core_hours=outcome.core_hours,
    )


def _all_values(trial: Trial, keys: tuple[str, ...]) -> dict[str, Any]:
    """The trial's value for each key: its own, or else the job's."""
    missing = [key for key in keys if key not in trial.parameters]
    tables = trial.job_file.resolved() if missing else {}
    return {key: trial.parameters[key] if key in trial.parameters else _look_up(tables, key) for key in keys}


def _look_up(tables: Mapping[str, Any], dotted: str) -> Any:
    found: Any = tables
    for part in dotted.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
