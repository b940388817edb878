"""The Fréchet distance's trace term against scipy's matrix square root on one core; and two sets of images, whole."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import sqrtm

from benchmarks.table import Row
from xpshpc.evaluate.frechet import Sample, frechet_distance
from xpshpc.evaluate.moments import Moments

FEATURES = 2048
FEW, MANY = 400, 5000
IMAGE_SIZE = 48
RANKS = 2
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
    return [*rows, *_whole(max(8, int(FEW * scale)))]


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


def _whole(images: int) -> list[Row]:
    """`xpshpc fid` of two sets of wafer-like images that nobody has seen before, and again with a cache, from start."""
    with tempfile.TemporaryDirectory() as folder:
        random = np.random.default_rng(0)
        sets = [Path(folder) / f"{name}.npz" for name in "ab"]
        for path, share in zip(sets, (0.05, 0.3), strict=True):
            np.savez(path, maps=1 + (random.random((images, IMAGE_SIZE, IMAGE_SIZE)) < share).astype(np.uint8))
        cache = ["--cache", str(Path(folder) / "cache")]
        command = [sys.executable, "-m", "xpshpc", "fid", *map(str, sets), "--json"]
        aim = "< 10" if images == FEW else ""
        size = f"two sets of {images} images, {IMAGE_SIZE} × {IMAGE_SIZE}"
        alone_s = _seconds(lambda: _run([*command, "--ranks", "1"]))
        shared_s = _seconds(lambda: _run([*command, *cache, "--ranks", str(RANKS)]))
        cached_s = _seconds(lambda: _run([*command, *cache]))
    return [
        Row(f"{size}: start, features and distance, 1 rank", alone_s, "s"),
        Row(f"{size}: the same, {RANKS} ranks", shared_s, "s", aim),
        Row(f"{size}: the same, features in the cache", cached_s, "s"),
    ]


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
