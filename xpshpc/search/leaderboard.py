"""The points of a search in order of merit, by the mean over their trainings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from xpshpc.plan.identity import hash_json
from xpshpc.search.metric import Metric
from xpshpc.search.outcome import Outcome, State
from xpshpc.search.trial import Trial


@dataclass(frozen=True)
class Standing:
    """One point: its finished trials, best first, and means over them; `failed` are those that came to no network.

    `spread` is the sample standard deviation of the metric, None with a single training; `seconds` a training's mean.
    """

    parameters: Mapping[str, Any]
    trials: tuple[str, ...]
    failed: int
    values: tuple[float, ...]
    mean: float
    spread: float | None
    validation: Mapping[str, float]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        return {
            "parameters": dict(self.parameters),
            "mean": self.mean,
            "spread": self.spread,
            "repeats": len(self.trials),
            "failed": self.failed,
            "validation": dict(self.validation),
            "seconds": round(self.seconds, 3),
            "trials": [{"id": trial, "value": value} for trial, value in zip(self.trials, self.values, strict=True)],
        }


def rank_points(trials: Sequence[Trial], outcomes: Mapping[str, Outcome], metric: Metric) -> tuple[Standing, ...]:
    """The points with a finished training, best first; of equal ones, the point that was trained more often."""
    points: dict[str, list[Trial]] = {}
    for trial in trials:
        points.setdefault(hash_json(trial.parameters), []).append(trial)
    standings = [
        _stand(point, outcomes, metric)
        for point in points.values()
        if any(outcomes[trial.id].state is State.FINISHED for trial in point)
    ]
    return tuple(sorted(standings, key=lambda point: (*metric.order(point.mean), -len(point.trials))))


def _stand(point: Sequence[Trial], outcomes: Mapping[str, Outcome], metric: Metric) -> Standing:
    finished = [trial for trial in point if outcomes[trial.id].state is State.FINISHED]
    ordered = sorted(finished, key=lambda trial: metric.order(metric.of(outcomes[trial.id].validation)))
    told = [outcomes[trial.id] for trial in ordered]
    values = tuple(metric.of(outcome.validation) for outcome in told)
    finite = all(map(math.isfinite, values))
    names = sorted(set.intersection(*(set(outcome.validation) for outcome in told)))
    return Standing(
        parameters=finished[0].parameters,
        trials=tuple(trial.id for trial in ordered),
        failed=sum(outcomes[trial.id].state is State.FAILED for trial in point),
        values=values,
        mean=fmean(values),
        spread=stdev(values) if finite and len(values) > 1 else None,
        validation={name: fmean(outcome.validation[name] for outcome in told) for name in names},
        seconds=fmean(outcome.seconds for outcome in told),
    )
