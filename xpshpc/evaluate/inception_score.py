"""The inception score: how sure a classifier is of each image, and how varied it finds them together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.cluster.communicator import Communicator
from xpshpc.errors import UsageError

SPLITS = 10
SUM_ERROR = 1e-3
"""How far a row of probabilities may be from adding up to one: a softmax in single precision is far below it."""


@dataclass(frozen=True)
class InceptionScore:
    """exp of the mean divergence of p(y|x) from p(y): 1 where all images look alike, at most the number of classes.

    `mean` and `std` are those of `splits` random parts of the set; a score grows with the size of a part, so only sets
    of one size compare.
    """

    mean: float
    std: float
    splits: int
    n: int
    classes: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def inception_score(
    probabilities: NDArray[Any], communicator: Communicator, *, splits: int = SPLITS, seed: int = 0
) -> InceptionScore:
    """The score of all ranks' probabilities, each rank's (n, classes) following the last one's.

    Sets of fewer than two images a split have fewer splits. Only sums travel between ranks. Salimans et al., NeurIPS
    2016, arXiv:1606.03498; Barratt and Sharma 2018, arXiv:1801.01973, on splits. Raises UsageError for rows that are
    no probabilities.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    counts = np.concatenate(communicator.gather(np.array([len(p)])))
    total, first = int(counts.sum()), int(counts[: communicator.rank].sum())
    _check(p, total, communicator)
    p = p / p.sum(axis=1, keepdims=True)
    splits = max(1, min(splits, total // 2))
    split = np.empty(total, dtype=np.int64)
    split[np.random.default_rng(seed).permutation(total)] = np.arange(total) * splits // total
    sums = np.zeros((splits, 2 + p.shape[1]))
    np.add.at(sums, split[first : first + len(p)], np.column_stack([np.ones(len(p)), _p_log_p(p).sum(axis=1), p]))
    sums = communicator.allreduce(sums, "sum")
    n = sums[:, 0]
    divergence = sums[:, 1] / n - _p_log_p(sums[:, 2:] / n[:, None]).sum(axis=1)
    # A mean divergence is no less than zero; what is below is rounding.
    scores = np.exp(np.maximum(divergence, 0.0))
    return InceptionScore(float(scores.mean()), float(scores.std()), splits, total, p.shape[1])


def _p_log_p(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """p·log p, which is 0 at 0."""
    logarithm = np.zeros_like(p)
    np.log(p, out=logarithm, where=p > 0)
    return p * logarithm


def _check(p: NDArray[np.float64], total: int, communicator: Communicator) -> None:
    """Every rank raises if one has cause to: none may wait for sums that never come."""
    sound = p.ndim == 2 and bool((p >= 0).all() and (np.abs(p.sum(axis=1) - 1) < SUM_ERROR).all())
    if total == 0:
        raise UsageError("no image to score")
    if communicator.allreduce(float(sound), "min") == 0:
        raise UsageError("an inception score needs probabilities: rows of numbers ≥ 0 that add up to 1")
