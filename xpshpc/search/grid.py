"""The exhaustive grid: every combination of the listed values, and each of them as often as asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from xpshpc.config import JobFile, Search, Train, known_keys, nearest
from xpshpc.errors import UsageError
from xpshpc.search.outcome import Outcome, State
from xpshpc.search.trial import Trial, describe_parameters, make_trial

MOST_TRIALS = 10_000

_WHERE = "search.parameters"


@dataclass(frozen=True)
class Grid:
    """All trials at once. Every point has its first training before any has its second."""

    trials: Sequence[Trial]

    def next_trial(self, outcomes: Mapping[str, Outcome]) -> Trial | None:
        return next((trial for trial in self.trials if outcomes[trial.id].state is State.PENDING), None)


def lay_out_grid(job_file: JobFile, search: Search) -> Grid:
    """The grid of a job's [search] section.

    Raises UsageError for a key that would change more than the training, values that the job does not take, and two
    points that are the same training.
    """
    for dotted in search.parameters:
        check_key(dotted, job_file.domain.section)
    choices = {key: values for key, values in search.parameters.items() if isinstance(values, list)}
    points = prod(map(len, choices.values()))
    if points * search.repeats > MOST_TRIALS:
        raise UsageError(
            f"{points} points with {search.repeats} training(s) each are more than {MOST_TRIALS} trials",
            where=_WHERE,
            try_="fewer values",
        )
    trials = [
        make_trial(job_file, dict(zip(choices, values, strict=True)), repeat)
        for repeat in range(search.repeats)
        for values in product(*choices.values())
    ]
    _check_different(trials)
    return Grid(tuple(trials))


def check_key(dotted: str, science: str) -> None:
    """Raises UsageError, with the reason, for a dotted key that a search cannot vary."""
    section, _, rest = dotted.partition(".")
    if section in ("seed", "generate", science):
        why, cure = "it decides the data, and all trials learn from the one data set of the run", "a job for each value"
    elif section == "split":
        why, cure = "trials that are judged by different samples cannot be compared", "a job for each value"
    elif dotted == "train.seed":
        why, cure = "a seed is no setting to choose by its score", "search.repeats, which trains each point repeatedly"
    elif section != "train" or not rest:
        why, cure = "it does not change the training", "keys of [train], as train.learning_rate"
    elif rest.partition(".")[0] not in Train.model_fields:
        raise UsageError(f"{dotted}: unknown key{nearest(rest, known_keys(Train, []))}", where=_WHERE)
    else:
        return
    raise UsageError(f"{dotted} cannot be searched over: {why}", where=_WHERE, try_=cure)


def _check_different(trials: Sequence[Trial]) -> None:
    seen: dict[str, Mapping[str, Any]] = {}
    for trial in trials:
        twin = seen.setdefault(trial.settings, trial.parameters)
        if twin is not trial.parameters:
            raise UsageError(
                f"two points are the same training: {describe_parameters(twin)}; and "
                f"{describe_parameters(trial.parameters)}",
                where=_WHERE,
                try_="leave out values that stand twice, and keys that do not change the network",
            )
