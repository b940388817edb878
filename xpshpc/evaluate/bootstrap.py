"""How far a Fréchet distance would move if other samples had been drawn: a bootstrap over the rows of both sets."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.cluster.communicator import Communicator
from xpshpc.evaluate.frechet import frechet_distance, nuclear_norm

LEVEL = 0.95
RESAMPLES = 100
SMALL = 500
"""Sets up to this size are resampled unless told otherwise: a hundred times in a few seconds."""

LARGEST_GRAM = 16_000_000
"""Products of rows with rows that are kept, 128 MB; beyond it each resample is a Fréchet distance of its own."""


@dataclass(frozen=True)
class BootstrapInterval:
    """Where the Fréchet distance of two other sets of these sizes and origins would lie, with probability `level`.

    A Fréchet distance of n samples is too large by about c/n, and resampled rows repeat, which adds as much once more:
    the resamples' mean exceeds the value by `bias`. `low` and `high` are the resamples' percentiles less that bias, so
    they surround the value as it was computed. They do not tell where the distance of infinitely many samples lies:
    about one more `bias` below. `percentile_low` and `percentile_high` are the bare percentiles.
    """

    low: float
    high: float
    level: float
    resamples: int
    bias: float
    percentile_low: float
    percentile_high: float

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def bootstrap_frechet(
    a: NDArray[Any],
    b: NDArray[Any],
    value: float,
    communicator: Communicator,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> BootstrapInterval:
    """The interval of the Fréchet distance `value` between `a` (n, d) and `b` (m, d), rows that every rank holds.

    Ranks share out the resamples, each of which has a seed of its own, so any number of ranks finds the same. With
    fewer rows than dimensions a resample costs the eigenvalues of a matrix of 0.63·min(n, m) rows: ten milliseconds at
    400. Otherwise it costs what the distance itself does. Efron, Ann. Stat. 7 (1979) 1, DOI 10.1214/aos/1176344552.
    """
    resampled = Resampled(a, b)
    mine = [resampled.distance(*_draw(len(a), len(b), (seed, k))) for k in _share(resamples, communicator)]
    values = np.empty(resamples)
    for rank, found in enumerate(communicator.gather(np.asarray(mine, dtype=np.float64))):
        values[rank :: communicator.size] = found
    low, high = (float(np.quantile(values, q)) for q in ((1 - level) / 2, (1 + level) / 2))
    bias = float(values.mean()) - value
    return BootstrapInterval(max(0.0, low - bias), high - bias, level, resamples, bias, low, high)


class Resampled:
    """Two sets of rows, and the Fréchet distance when each row counts as often as it was drawn."""

    def __init__(self, a: NDArray[Any], b: NDArray[Any]) -> None:
        a, b = (np.asarray(rows, dtype=np.float64) for rows in (a, b))
        centre_a, centre_b = a.mean(axis=0), b.mean(axis=0)
        self._a, self._b, self._step = a - centre_a, b - centre_b, centre_a - centre_b
        self._squares = tuple(np.einsum("ij,ij->i", rows, rows) for rows in (self._a, self._b))
        few = min(len(a), len(b)) <= a.shape[1] and len(a) * len(b) <= LARGEST_GRAM
        self._products = self._a @ self._b.T if few else None

    def distance(self, drawn_a: NDArray[np.int64], drawn_b: NDArray[np.int64]) -> float:
        """The distance between the rows drawn of A and those drawn of B, (n,) and (m,) places that may repeat.

        Of the rows only their products are needed: a row drawn c times is one row, √c times as long.
        """
        if self._products is None:
            return frechet_distance(self._a[drawn_a] + self._step, self._b[drawn_b]).value
        count_a, count_b = (
            np.bincount(drawn, minlength=len(rows)) for drawn, rows in ((drawn_a, self._a), (drawn_b, self._b))
        )
        weight_a, weight_b = count_a / len(drawn_a), count_b / len(drawn_b)
        mean_a, mean_b = weight_a @ self._a, weight_b @ self._b
        traces = sum(
            len(drawn) / (len(drawn) - 1) * (weight @ squares - mean @ mean)
            for drawn, weight, squares, mean in (
                (drawn_a, weight_a, self._squares[0], mean_a),
                (drawn_b, weight_b, self._squares[1], mean_b),
            )
        )
        met_a, met_b = np.flatnonzero(count_a), np.flatnonzero(count_b)
        centred = (
            self._products[np.ix_(met_a, met_b)]
            - (self._a[met_a] @ mean_b)[:, None]
            - (self._b[met_b] @ mean_a)[None, :]
            + mean_a @ mean_b
        )
        unit_a, unit_b = np.sqrt(weight_a[met_a]), np.sqrt(weight_b[met_b])
        cross = _reflect(_reflect(unit_a[:, None] * centred * unit_b, unit_a).T, unit_b)
        scale = np.sqrt(len(drawn_a) / (len(drawn_a) - 1) * len(drawn_b) / (len(drawn_b) - 1))
        step = self._step + mean_a - mean_b
        return float(step @ step + max(traces - 2 * scale * nuclear_norm(cross), 0.0))


def _reflect(matrix: NDArray[np.float64], null: NDArray[np.float64]) -> NDArray[np.float64]:
    """`matrix` (n, m) without the direction `null` (n,), a unit vector with nullᵀ·matrix = 0; (n − 1, m).

    The Householder reflection of `null` onto the first axis turns the first row to zero; singular values stay.
    """
    reflected: NDArray[np.float64] = matrix[1:] - (null[1:] / (1 + null[0]))[:, None] * matrix[0]
    return reflected


def _draw(n: int, m: int, seed: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    return random.integers(n, size=n), random.integers(m, size=m)


def _share(resamples: int, communicator: Communicator) -> range:
    return range(communicator.rank, resamples, communicator.size)
