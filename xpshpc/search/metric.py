"""What trials are compared by: a metric of the validation shards, and which way is better."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from xpshpc.config import JobFile, Search, nearest
from xpshpc.errors import UsageError

_LARGER_IS_BETTER = frozenset({"accuracy", "precision", "recall", "f1", "r2", "auc"})
"""Words of metrics' names that mean: the more the better. Every other one is an error or a loss."""


@dataclass(frozen=True)
class Metric:
    """A metric by name; `largest`: the largest value is the best."""

    name: str
    largest: bool

    @property
    def goal(self) -> str:
        return "largest" if self.largest else "smallest"

    def of(self, validation: Mapping[str, float]) -> float:
        """Its value; NaN where a training did not tell it."""
        return validation.get(self.name, math.nan)

    def order(self, value: float) -> tuple[bool, float]:
        """A key that sorts the best first, and what is no number last."""
        return (not math.isfinite(value), -value if self.largest else value)


def choose_metric(search: Search) -> Metric:
    """The metric of a [search] section; its direction is asked for, or told by the words of its name."""
    told = bool(_LARGER_IS_BETTER.intersection(search.metric.split("_")))
    return Metric(search.metric, told if search.goal is None else search.goal == "largest")


def check_metric(metric: Metric, job_file: JobFile) -> None:
    """Raises UsageError, naming those there are, for a metric that the science does not know. Trains nothing."""
    job = job_file.job
    problem = job_file.problem()
    source = job_file.domain.source(job.generate.source, job_file.settings, job.generate.options, job.seed)
    empty = {spec.name: np.zeros((1, *spec.shape), spec.dtype) for spec in source.arrays()}
    truth = problem.targets(empty)
    known = {"loss", *problem.metrics(truth, truth)}
    if metric.name not in known:
        raise UsageError(
            f"unknown metric {metric.name!r}{nearest(metric.name, known)}",
            where="search.metric",
            try_=f"one of {', '.join(sorted(known))}",
        )
