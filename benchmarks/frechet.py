"""The Fréchet distance's trace term against scipy's matrix square root, on one core, for few and for many samples."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import sqrtm

from benchmarks.table import Row
from xpshpc.evaluate.frechet import Sample, frechet_distance
from xpshpc.evaluate.moments import Moments

FEATURES = 2048
FEW, MANY = 400, 5000
_REPEATS = 3


def run(scale: float) -> list[Row]:
    """Rows of this benchmark; `scale` 1 has 2048 features, less has fewer of both features and samples."""
    features = max(256, int(FEATURES * scale))
    random = np.random.default_rng(0)
    # Variances that fall by a factor of a thousand, as those of a network's features do.
    spread = np.geomspace(1.0, 0.03, features)
    rows: list[Row] = []
    for samples, aim in ((FEW, "≥ 300"), (MANY, "≥ 8")):
        n = samples * features // FEATURES
        a, b = (random.normal(shift, spread, size=(n, features)) for shift in (0.0, 0.1))
        rows += _compare(a, b, aim if features == FEATURES else "")
    return rows


def _compare(a: NDArray[np.float64], b: NDArray[np.float64], aim: str) -> list[Row]:
    n, features = a.shape
    kept: tuple[Sample, Sample] = (a, b) if n <= features else (Moments.of(a), Moments.of(b))
    frechet_distance(a[:8], b[:8])
    ours_s = min(_seconds(lambda: frechet_distance(*kept)) for _ in range(_REPEATS))
    distance = frechet_distance(*kept)
    first, second = Moments.of(a).covariance(), Moments.of(b).covariance()
    roots: list[NDArray[np.complex128]] = []
    scipy_s = _seconds(lambda: roots.append(sqrtm(first @ second)))
    by_scipy = float(np.trace(first) + np.trace(second) - 2 * np.trace(roots[0]).real)
    size = f"{n} samples, {features} features"
    return [
        Row(f"{size}: ours ({distance.method})", ours_s, "s"),
        Row(f"{size}: scipy.linalg.sqrtm", scipy_s, "s"),
        Row(f"{size}: times faster", scipy_s / ours_s, "×", aim),
        Row(f"{size}: relative difference", abs(distance.trace_term / by_scipy - 1), ""),
    ]


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
