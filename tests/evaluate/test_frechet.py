"""The Fréchet distance equals the textbook's formula where that can be evaluated exactly, by each of its methods."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from scipy.stats import ortho_group, wishart

from xpshpc.errors import UsageError
from xpshpc.evaluate.frechet import factorise_covariance, factorise_deviations, frechet_distance, nuclear_norm
from xpshpc.evaluate.moments import Moments

SEEDS = st.integers(0, 2**32 - 1)


def rows_with(mean: np.ndarray, covariance: np.ndarray, n: int, seed: int = 0) -> np.ndarray:
    """Rows whose sample mean and covariance are these to rounding."""
    d = len(mean)
    noise = np.random.default_rng(seed).normal(size=(n, d))
    noise -= noise.mean(axis=0)
    orthonormal = np.linalg.qr(noise)[0] * math.sqrt(n - 1)
    variances, directions = np.linalg.eigh(covariance)
    return orthonormal @ (np.sqrt(np.clip(variances, 0, None))[:, None] * directions.T) + mean


def textbook_root_trace(first: np.ndarray, second: np.ndarray) -> float:
    """Tr √(C₁C₂) by Denman–Beavers iteration in extended precision (regular covariances)."""
    square = first.astype(np.longdouble) @ second.astype(np.longdouble)
    scale = np.trace(square) / len(square)
    root, inverse = square / scale, np.eye(len(square), dtype=np.longdouble)
    for _ in range(60):
        root, inverse = (root + _inverted(inverse)) / 2, (inverse + _inverted(root)) / 2
    assert np.abs(root @ root - square / scale).max() < 1e-15
    return float(np.trace(root) * np.sqrt(scale))


def _inverted(matrix: np.ndarray) -> np.ndarray:
    """Gauss–Jordan with row pivots, in the matrix' own precision."""
    n = len(matrix)
    work = np.concatenate([matrix.copy(), np.eye(n, dtype=matrix.dtype)], axis=1)
    for column in range(n):
        pivot = column + int(np.abs(work[column:, column]).argmax())
        work[[column, pivot]] = work[[pivot, column]]
        work[column] /= work[column, column]
        others = np.arange(n) != column
        work[others] -= np.outer(work[others, column], work[column])
    return work[:, n:]


@given(
    mean=st.tuples(st.floats(-5, 5), st.floats(-5, 5)),
    deviation=st.tuples(st.floats(0.01, 10), st.floats(0.01, 10)),
    n=st.tuples(st.integers(3, 50), st.integers(3, 50)),
)
def test_one_dimension_is_the_distance_of_means_and_of_deviations(
    mean: tuple[float, float], deviation: tuple[float, float], n: tuple[int, int]
) -> None:
    a, b = (rows_with(np.array([m]), np.array([[s**2]]), k) for m, s, k in zip(mean, deviation, n, strict=True))
    expected = (mean[0] - mean[1]) ** 2 + (deviation[0] - deviation[1]) ** 2
    assert frechet_distance(a, b).value == pytest.approx(expected, abs=1e-11 * (1 + sum(s**2 for s in deviation)))


@given(seed=SEEDS)
def test_two_dimensions_have_a_closed_form(seed: int) -> None:
    first, second = wishart(4, np.eye(2)).rvs(2, random_state=np.random.default_rng(seed))
    product = first @ second
    # The square root of a 2×2 matrix has the trace √(Tr + 2√det).
    expected = math.sqrt(np.trace(product) + 2 * math.sqrt(np.linalg.det(first) * np.linalg.det(second)))
    distance = frechet_distance(rows_with(np.zeros(2), first, 9), rows_with(np.ones(2), second, 7))
    assert distance.mean_term == pytest.approx(2, rel=1e-12)
    assert distance.trace_term == pytest.approx(
        np.trace(first + second) - 2 * expected, abs=1e-10 * np.trace(first + second)
    )


@given(seed=SEEDS, d=st.integers(2, 12), n_a=st.integers(2, 40), n_b=st.integers(2, 40))
def test_commuting_covariances_reduce_to_their_deviations(seed: int, d: int, n_a: int, n_b: int) -> None:
    random = np.random.default_rng(seed)
    axes = ortho_group(d).rvs(random_state=random)
    # A set of n rows spans n − 1 directions at most, so some of these covariances are singular.
    spreads = [np.where(np.arange(d) < n - 1, random.uniform(0.1, 3, d), 0) for n in (n_a, n_b)]
    a, b = (rows_on_axes(axes, spread, n, seed) for spread, n in zip(spreads, (n_a, n_b), strict=True))
    expected = ((spreads[0] - spreads[1]) ** 2).sum()
    scale = (spreads[0] ** 2 + spreads[1] ** 2).sum()
    assert frechet_distance(a, b).trace_term == pytest.approx(expected, abs=1e-10 * scale)


def rows_on_axes(axes: np.ndarray, spread: np.ndarray, n: int, seed: int) -> np.ndarray:
    """n rows with sample covariance axes·spread²·axesᵀ; at most n − 1 of the spreads are not zero."""
    used = int((spread > 0).sum())
    noise = np.random.default_rng(seed + 1).normal(size=(n, n))
    noise[:, 0] = 1
    scores = np.linalg.qr(noise)[0][:, 1 : used + 1] * math.sqrt(n - 1)
    return scores * spread[:used] @ axes[:, :used].T


@pytest.mark.parametrize("d", [1, 2, 5, 16])
def test_regular_covariances_agree_with_the_textbook_in_extended_precision(d: int) -> None:
    random = np.random.default_rng(d)
    a, b = random.normal(size=(3 * d + 2, d)), random.normal(size=(5 * d + 2, d)) @ random.normal(size=(d, d))
    first, second = Moments.of(a).covariance(), Moments.of(b).covariance()
    expected = np.trace(first) + np.trace(second) - 2 * textbook_root_trace(first, second)
    distance = frechet_distance(a, b)
    assert distance.method == "cholesky"
    assert distance.trace_term == pytest.approx(expected, abs=1e-11 * np.trace(first + second))


@settings(max_examples=20)
@given(seed=SEEDS, d=st.integers(2, 40))
def test_regular_covariances_agree_with_scipy(seed: int, d: int) -> None:
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(4 * d, d)), random.normal(0.3, 2, size=(6 * d, d))
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    expected = np.trace(first + second) - 2 * np.trace(sqrtm(first @ second)).real
    assert frechet_distance(a, b).trace_term == pytest.approx(expected, abs=1e-9 * np.trace(first + second))


@settings(max_examples=40)
@given(seed=SEEDS, n_a=st.integers(2, 60), n_b=st.integers(2, 60), d=st.integers(1, 30))
def test_rows_and_moments_lead_to_the_same_distance(seed: int, n_a: int, n_b: int, d: int) -> None:
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(n_a, d)), random.normal(0.5, 2, size=(n_b, d))
    by_rows = frechet_distance(a, b)
    scale = by_rows.value + np.trace(Moments.of(a).covariance() + Moments.of(b).covariance())
    for other in (
        frechet_distance(Moments.of(a), Moments.of(b)),
        frechet_distance(a, Moments.of(b)),
        frechet_distance(b, a),
    ):
        assert other.value == pytest.approx(by_rows.value, abs=1e-10 * scale)


@pytest.mark.parametrize(
    ("n", "d", "method"), [(500, 40, "cholesky"), (30, 40, "rows"), (40, 40, "rows"), (41, 40, "cholesky")]
)
def test_a_set_has_no_distance_from_itself(n: int, d: int, method: str) -> None:
    rows = np.random.default_rng(4).normal(size=(n, d)) * np.geomspace(1e-4, 1, d) + 100
    distance = frechet_distance(rows, rows)
    assert distance.method == method
    assert 0 <= distance.value < 1e-9
    assert frechet_distance(Moments.of(rows), Moments.of(rows)).value < 1e-9


def test_dead_and_dependent_features_are_no_trouble() -> None:
    random = np.random.default_rng(5)
    a, b = random.normal(size=(200, 6)), random.normal(1, 2, size=(300, 6))
    turn = ortho_group(9).rvs(random_state=random)
    wide_a, wide_b = (np.pad(rows, ((0, 0), (0, 3))) @ turn for rows in (a, b))
    distance = frechet_distance(wide_a, wide_b)
    assert (distance.method, distance.rank_a, distance.rank_b) == ("eigen", 6, 6)
    assert distance.value == pytest.approx(frechet_distance(a, b).value, rel=1e-10)
    constant = np.full((50, 9), 2.0)
    assert frechet_distance(constant, constant + 1).value == pytest.approx(9, rel=1e-12)
    assert frechet_distance(constant, constant + 1).rank_a == 0


@given(seed=SEEDS, m=st.integers(1, 20), n=st.integers(1, 20), rank=st.integers(0, 20), decades=st.floats(0, 14))
def test_the_nuclear_norm_is_the_sum_of_singular_values(seed: int, m: int, n: int, rank: int, decades: float) -> None:
    random = np.random.default_rng(seed)
    rank = min(m, n, rank)
    left, right = (np.linalg.qr(random.normal(size=(k, k)))[0][:, :rank] for k in (m, n))
    singular = np.logspace(0, -decades, rank)
    assert nuclear_norm(left * singular @ right.T) == pytest.approx(singular.sum(), rel=2e-11, abs=1e-300)


def test_factors_multiply_to_their_covariance() -> None:
    for n in (2, 3, 9):
        rows = np.random.default_rng(n).normal(size=(n, 12)) + 5
        factor = factorise_deviations(rows - rows.mean(axis=0))
        assert factor.shape == (n - 1, 12)
        assert np.allclose(factor.T @ factor, np.cov(rows, rowvar=False), rtol=0, atol=1e-14 * n)
    for rank in (3, 8):
        rows = np.random.default_rng(rank).normal(size=(50, rank)) @ np.random.default_rng(9).normal(size=(rank, 8))
        covariance = np.cov(rows, rowvar=False)
        kind, factor = factorise_covariance(covariance, 50)
        assert (kind, len(factor)) == (("eigen", 3) if rank == 3 else ("cholesky", 8))
        assert np.allclose(factor.T @ factor, covariance, rtol=0, atol=1e-13 * np.trace(covariance))


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (np.zeros((1, 3)), np.zeros((5, 3)), "at least two"),
        (np.zeros((5, 3)), np.zeros((5, 4)), "3 and 4 features"),
        (np.zeros(5), np.zeros((5, 4)), "rows of a table"),
        (np.zeros((5, 0)), np.zeros((5, 0)), "without features"),
        (np.full((5, 2), np.nan), np.zeros((5, 2)), "not finite"),
        (np.zeros((2, 5)), np.full((2, 5), np.inf), "not finite"),
    ],
)
def test_what_has_no_distance_is_refused(a: np.ndarray, b: np.ndarray, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        frechet_distance(a, b)


def test_a_matrix_that_is_no_covariance_is_refused() -> None:
    with pytest.raises(UsageError, match="not a covariance"):
        factorise_covariance(np.diag([1.0, -0.5]), 10)
