"""What trials are compared by: a metric of the validation shards, and which way is better."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from xpshpc.config import JobFile, Search
from xpshpc.train.metric import check_metric_name, larger_is_better


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
    told = larger_is_better(search.metric)
    return Metric(search.metric, told if search.goal is None else search.goal == "largest")


def check_metric(metric: Metric, job_file: JobFile) -> None:
    """Raises UsageError, naming those there are, for a metric that the science does not know. Trains nothing."""
    check_metric_name(metric.name, job_file, where="search.metric")
