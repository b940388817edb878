"""The Fréchet distance between two sets of feature vectors, by the method that fits their size.

With covariances C = F·Fᵀ the trace of √(C₁C₂) is the sum of the singular values of F₁ᵀ·F₂: no matrix square root, no
complex numbers, and an error of rounding size even where covariances are singular. Only the factor F differs:

- `rows`      the rows' own deviations, when there are no more of them than dimensions (the Gram trick),
- `cholesky`  of a regular covariance,
- `eigen`     of a singular one, its null space left out and its rank reported.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.evaluate.moments import Moments

Sample = NDArray[Any] | Moments
"""Feature rows (n, d), or their moments where the rows were not kept."""

RELATIVE_ERROR = 1e-11
"""What rounding may cost the trace in the quicker eigenvalue solver; beyond it singular values are computed."""


@dataclass(frozen=True)
class FrechetDistance:
    """|μ₁ − μ₂|² + Tr C₁ + Tr C₂ − 2 Tr √(C₁C₂), squared units of the features, and how it was found.

    `trace_a` and `trace_b` are the covariances' traces: against their sum rounding counts. `method` names the factor of
    each covariance; `rank_a` and `rank_b` are the numbers of directions they span.
    """

    value: float
    method: str
    mean_term: float
    trace_term: float
    trace_a: float
    trace_b: float
    n_a: int
    n_b: int
    dimensions: int
    rank_a: int
    rank_b: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, eq=False)
class _Factor:
    """`matrix` (r, d) with matrixᵀ·matrix = covariance."""

    kind: str
    matrix: NDArray[np.float64]
    n: int
    mean: NDArray[np.float64]
    trace: float


def frechet_distance(a: Sample, b: Sample) -> FrechetDistance:
    """The Fréchet distance of the normal distributions fitted to `a` and `b`.

    Dowson and Landau, J. Multivariate Anal. 12 (1982) 450, DOI 10.1016/0047-259X(82)90077-X; covariances are unbiased.
    Raises UsageError for fewer than two rows, values that are not finite, or sets of unequal dimension.
    """
    first, second = _factorise(a, "first set"), _factorise(b, "second set")
    if len(first.mean) != len(second.mean):
        raise UsageError(
            f"the sets have {len(first.mean)} and {len(second.mean)} features",
            try_="compare features of one and the same extractor",
        )
    step = first.mean - second.mean
    mean_term = float(step @ step)
    root_trace = nuclear_norm(_multiply(first, second))
    trace_term = first.trace + second.trace - 2 * root_trace
    return FrechetDistance(
        # Both terms are squared distances; below zero is rounding, and zero is then nearer to the truth.
        value=mean_term + max(trace_term, 0.0),
        method=first.kind if first.kind == second.kind else f"{first.kind}+{second.kind}",
        mean_term=mean_term,
        trace_term=trace_term,
        trace_a=first.trace,
        trace_b=second.trace,
        n_a=first.n,
        n_b=second.n,
        dimensions=len(first.mean),
        rank_a=len(first.matrix),
        rank_b=len(second.matrix),
    )


def nuclear_norm(matrix: NDArray[np.float64]) -> float:
    """The sum of the singular values of a matrix, (m, n), to about 1e-11 of its value or better.

    Eigenvalues of M·Mᵀ take half the time of singular values, but an eigenvalue λ carries the error ε·λ_max and its
    root ε·λ_max/2√λ. Their sum is compared with what may be lost, and singular values are taken where it is too much.
    """
    from scipy.linalg import eigvalsh, svdvals

    if 0 in matrix.shape:
        return 0.0
    if matrix.shape[0] > matrix.shape[1]:
        matrix = matrix.T
    squares = eigvalsh(matrix @ matrix.T, check_finite=False)
    largest = squares[-1]
    if largest == 0:
        return 0.0
    rounding = np.finfo(np.float64).eps * largest
    roots = np.sqrt(squares[squares > rounding])
    error = rounding * (0.5 / roots).sum() + np.sqrt(rounding) * (len(squares) - len(roots))
    if error > RELATIVE_ERROR * roots.sum():
        return float(svdvals(matrix, check_finite=False).sum())
    return float(roots.sum())


def _factorise(sample: Sample, where: str) -> _Factor:
    n, d = (sample.n, sample.dimensions) if isinstance(sample, Moments) else _shape(sample, where)
    if n < 2:
        raise UsageError(f"{n} row(s): a covariance needs at least two", where=where)
    if d == 0:
        raise UsageError("rows without features", where=where)
    if not isinstance(sample, Moments) and n <= d:
        rows = np.asarray(sample, dtype=np.float64)
        _check_finite(rows, where)
        mean = rows.mean(axis=0)
        factor = factorise_deviations(rows - mean)
        return _Factor("rows", factor, n, mean, float(np.vdot(factor, factor)))
    moments = sample if isinstance(sample, Moments) else Moments.of(sample)
    _check_finite(moments.mean, where)
    _check_finite(moments.scatter, where)
    covariance = moments.covariance()
    kind, matrix = factorise_covariance(covariance, n)
    return _Factor(kind, matrix, n, moments.mean, float(np.trace(covariance)))


def factorise_deviations(deviations: NDArray[np.float64]) -> NDArray[np.float64]:
    """F (n − 1, d) with Fᵀ·F = the covariance of n rows, given their deviations from the mean.

    Deviations add up to zero, so they span n − 1 directions: the Householder reflection of (1, …, 1) onto the first
    axis turns the first row to zero, and what it adds to the others is that row divided by √n − 1.
    """
    n = len(deviations)
    factor: NDArray[np.float64] = (deviations[1:] + deviations[0] / (np.sqrt(n) - 1)) / np.sqrt(n - 1)
    return factor


def factorise_covariance(covariance: NDArray[np.float64], n: int) -> tuple[str, NDArray[np.float64]]:
    """(`cholesky` or `eigen`, F) with Fᵀ·F = the covariance of n rows, F of shape (rank, d).

    n rows span n − 1 directions at most, and those whose variance is not above the rounding of the sums that made the
    matrix, 16·d·ε of the largest variance, do not count to the rank. Raises UsageError for a matrix with a negative
    variance beyond rounding: no covariance.
    """
    from scipy.linalg import LinAlgError, cholesky, eigh

    rounding = 16 * len(covariance) * np.finfo(np.float64).eps
    if n > len(covariance):
        # Rounding can lead a singular matrix through the factorisation; its pivots tell.
        with suppress(LinAlgError):
            upper = cholesky(covariance, lower=False, check_finite=False)
            if np.diag(upper).min() ** 2 > rounding * np.trace(covariance):
                return "cholesky", upper
    variances, directions = eigh(covariance, check_finite=False)
    if variances[0] < -rounding * max(abs(variances[-1]), abs(variances[0])):
        raise UsageError(f"not a covariance: it has the variance {variances[0]:.3g}")
    spanned = variances > rounding * variances[-1]
    spanned[: max(0, len(variances) - n + 1)] = False
    return "eigen", np.sqrt(variances[spanned])[:, None] * directions[:, spanned].T


def _multiply(first: _Factor, second: _Factor) -> NDArray[np.float64]:
    """F₁·F₂ᵀ; half the work where both are triangular."""
    if first.kind == second.kind == "cholesky":
        from scipy.linalg.blas import dtrmm

        product: NDArray[np.float64] = dtrmm(1.0, first.matrix, second.matrix.T)
        return product
    return first.matrix @ second.matrix.T


def _shape(rows: NDArray[Any], where: str) -> tuple[int, int]:
    if rows.ndim != 2:
        raise UsageError(f"features must be rows of a table, (n, d); the shape is {rows.shape}", where=where)
    return rows.shape[0], rows.shape[1]


def _check_finite(values: NDArray[np.float64], where: str) -> None:
    if not np.isfinite(values).all():
        raise UsageError("features that are not finite (NaN or infinite)", where=where)
