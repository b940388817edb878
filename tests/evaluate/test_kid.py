"""The kernel distance is the mean over pairs of its definition, without bias, in whatever blocks it is summed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xpshpc.cluster.communicator import Solo
from xpshpc.errors import UsageError
from xpshpc.evaluate.kid import LARGEST_SUBSET, SUBSETS, kernel_distance


def by_definition(a: np.ndarray, b: np.ndarray) -> float:
    """Every pair by itself, in extended precision."""
    a, b = a.astype(np.longdouble), b.astype(np.longdouble)

    def kernel(x: np.ndarray, y: np.ndarray) -> np.longdouble:
        return ((x * y).sum() / len(x) + 1) ** 3

    def within(rows: np.ndarray) -> np.longdouble:
        n = len(rows)
        pairs = sum(kernel(rows[i], rows[j]) for i in range(n) for j in range(n) if i != j)
        return pairs / (n * (n - 1))

    between = sum(kernel(x, y) for x in a for y in b) / (len(a) * len(b))
    return float(within(a) + within(b) - 2 * between)


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(2, 17),
    m=st.integers(2, 17),
    d=st.integers(1, 9),
    block_rows=st.integers(1, 20),
)
def test_it_is_the_mean_over_pairs_in_any_blocks(seed: int, n: int, m: int, d: int, block_rows: int) -> None:
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(n, d)).astype(np.float32), random.normal(0.5, 2, size=(m, d)).astype(np.float32)
    found = kernel_distance(a, b, Solo(), block_rows=block_rows)
    assert found.value == pytest.approx(by_definition(a, b), rel=1e-12, abs=1e-11)


def test_halves_of_one_set_have_no_distance_on_average_and_sets_apart_have() -> None:
    random = np.random.default_rng(2)
    rows = random.normal(size=(60, 8))
    found = []
    for _ in range(150):
        order = random.permutation(60)
        found.append(kernel_distance(rows[order[:20]], rows[order[20:]], Solo()).value)
    # Over all splits the expectation is exactly zero; a biased estimate would be of one sign.
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(len(found))
    assert min(found) < 0 < max(found)
    assert kernel_distance(rows, rows + 1, Solo()).value > max(found)


def test_subsets_scatter_around_the_value_of_all_pairs() -> None:
    random = np.random.default_rng(3)
    a, b = random.normal(size=(90, 6)), random.normal(0.4, 1, size=(70, 6))
    found = kernel_distance(a, b, Solo(), block_rows=32)
    assert (found.subsets, found.subset_size) == (SUBSETS, 35)
    assert found.mean == pytest.approx(found.value, abs=5 * found.std / np.sqrt(SUBSETS))
    assert found.std > 0
    assert kernel_distance(a, b, Solo(), block_rows=32) == found
    assert kernel_distance(a, b, Solo(), seed=1).mean != found.mean
    assert kernel_distance(a, b, Solo(), seed=1).value == pytest.approx(found.value, rel=1e-12)
    large = kernel_distance(random.normal(size=(2 * LARGEST_SUBSET + 5, 1)), a[:, :1], Solo())
    assert large.subset_size == 45
    few = kernel_distance(a[:3], b, Solo())
    assert (few.subsets, few.mean, few.std) == (0, None, None)


def test_what_has_no_distance_is_refused() -> None:
    good = np.zeros((4, 3))
    for bad, words in (
        (np.zeros((1, 3)), "at least two"),
        (np.zeros((4, 2)), "3 and 2 features"),
        (np.full((4, 3), np.nan), "not finite"),
    ):
        with pytest.raises(UsageError, match=words):
            kernel_distance(good, bad, Solo())
