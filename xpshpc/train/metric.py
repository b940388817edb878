"""What networks are compared by: the metrics of the validation shards, and which way is better."""

from __future__ import annotations

import numpy as np

from xpshpc.config import JobFile, nearest
from xpshpc.domain import AdversarialProblem
from xpshpc.errors import UsageError

_LARGER_IS_BETTER = frozenset({"accuracy", "precision", "recall", "f1", "r2", "auc", "diversity"})
"""Words of metrics' names that mean: the more the better. Every other one is an error or a loss."""


def larger_is_better(name: str) -> bool:
    """Which way a metric improves, as the words of its name tell."""
    return bool(_LARGER_IS_BETTER.intersection(name.split("_")))


def check_metric_name(name: str, job_file: JobFile, *, where: str) -> None:
    """Raises UsageError, naming those there are, for a metric that the science does not know. Trains nothing."""
    problem = job_file.problem()
    empty = {spec.name: np.zeros((1, *spec.shape), spec.dtype) for spec in job_file.source().arrays()}
    truth = problem.targets(empty)
    if isinstance(problem, AdversarialProblem):
        known = {"loss", *problem.metric_names}
    else:
        known = {"loss", *problem.metrics(truth, truth)}
    if name not in known:
        raise UsageError(
            f"unknown metric {name!r}{nearest(name, known)}",
            where=where,
            try_=f"one of {', '.join(sorted(known))}",
        )
