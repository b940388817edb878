"""The points of a search in order of merit, by the mean over their trainings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from xpshpc.config import Point
from xpshpc.plan.identity import hash_json
from xpshpc.search.metric import Metric
from xpshpc.search.outcome import Outcome
from xpshpc.search.state import State
from xpshpc.search.trial import Trial

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Standing:
    """One point: its finished trials, best first, and means over them; `failed` are those that came to no network.

    `spread` is the sample standard deviation of the metric and `interval` the half width of the mean's 95 % confidence
    interval (Student's t), both None with a single training; `seconds` a training's mean. `held_out` are means of the
    scores on the held-out shards, over the trials that have them. The hours are those of all the point's attempts.
    `name`, `published` and `source` are those of a point that is spelt out in the job.
    """

    parameters: Mapping[str, Any]
    trials: tuple[str, ...]
    failed: int
    values: tuple[float, ...]
    mean: float
    spread: float | None
    interval: float | None
    validation: Mapping[str, float]
    held_out: Mapping[str, float]
    seconds: float
    core_hours: float
    gpu_hours: float
    name: str = ""
    published: Mapping[str, float] | None = None
    source: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "parameters": dict(self.parameters),
            "mean": self.mean,
            "spread": self.spread,
            "interval": self.interval,
            "repeats": len(self.trials),
            "failed": self.failed,
            "validation": dict(self.validation),
            "held_out": dict(self.held_out),
            "published": dict(self.published or {}),
            "source": self.source,
            "seconds": round(self.seconds, 3),
            "core_hours": round(self.core_hours, 6),
            "gpu_hours": round(self.gpu_hours, 6),
            "trials": [{"id": trial, "value": value} for trial, value in zip(self.trials, self.values, strict=True)],
        }


def rank_points(
    trials: Sequence[Trial], outcomes: Mapping[str, Outcome], metric: Metric, spelt_out: Sequence[Point] = ()
) -> tuple[Standing, ...]:
    """The points with a finished training, best first; of equal ones, the point that was trained more often."""
    points: dict[str, list[Trial]] = {}
    for trial in trials:
        points.setdefault(hash_json([trial.name, trial.parameters]), []).append(trial)
    named = {point.name: point for point in spelt_out}
    standings = [
        _stand(point, outcomes, metric, named.get(point[0].name))
        for point in points.values()
        if any(outcomes[trial.id].state is State.FINISHED for trial in point)
    ]
    return tuple(sorted(standings, key=lambda point: (*metric.order(point.mean), -len(point.trials))))


def half_width(values: Sequence[float]) -> float | None:
    """Half the width of the mean's 95 % confidence interval, by Student's t; None for fewer than two values."""
    if len(values) < 2:
        return None
    # SciPy's distributions take longer to import than a table of points to be made.
    from scipy.special import stdtrit

    quantile = float(stdtrit(len(values) - 1, 0.5 + CONFIDENCE / 2))
    return quantile * stdev(values) / math.sqrt(len(values))


def _stand(point: Sequence[Trial], outcomes: Mapping[str, Outcome], metric: Metric, spelt: Point | None) -> Standing:
    finished = [trial for trial in point if outcomes[trial.id].state is State.FINISHED]
    ordered = sorted(finished, key=lambda trial: metric.order(metric.of(outcomes[trial.id].validation)))
    told = [outcomes[trial.id] for trial in ordered]
    values = tuple(metric.of(outcome.validation) for outcome in told)
    finite = all(map(math.isfinite, values))
    return Standing(
        parameters=finished[0].parameters,
        trials=tuple(trial.id for trial in ordered),
        failed=sum(outcomes[trial.id].state is State.FAILED for trial in point),
        values=values,
        mean=fmean(values),
        spread=stdev(values) if finite and len(values) > 1 else None,
        interval=half_width(values) if finite else None,
        validation=_means([outcome.validation for outcome in told]),
        held_out=_means([outcome.held_out for outcome in told if outcome.held_out]),
        seconds=fmean(outcome.seconds for outcome in told),
        core_hours=sum(outcomes[trial.id].core_hours for trial in point),
        gpu_hours=sum(outcomes[trial.id].gpu_hours for trial in point),
        name=point[0].name,
        published=spelt.published if spelt else None,
        source=spelt.source if spelt else "",
    )


def _means(told: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each number that all of them tell."""
    names = sorted(set.intersection(*map(set, told))) if told else []
    return {name: fmean(each[name] for each in told) for name in names}
