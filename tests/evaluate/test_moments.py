"""Moments are those of all rows, however the rows were split and merged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluate.moments_rank import rows as known_rows
from xpshpc.cluster.communicator import Solo
from xpshpc.cluster.ranks.gang import run_gang
from xpshpc.evaluate.moments import Moments, merge_over_ranks


def assert_close(found: Moments, rows: np.ndarray, tolerance: float = 1e-12) -> None:
    assert found.n == len(rows)
    spread = rows.std(axis=0, ddof=1)
    origin = rows[0]
    assert np.abs(found.mean - (origin + (rows - origin).mean(axis=0))).max() <= tolerance * np.abs(rows).max()
    expected = np.cov(rows - origin, rowvar=False)
    assert np.abs(found.covariance() - expected).max() <= tolerance * spread.max() ** 2


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(2, 80),
    d=st.integers(1, 6),
    block=st.integers(1, 20),
    offset=st.sampled_from([0.0, -3.0, 1e3]),
)
def test_any_block_size_gives_numpy_s_covariance(seed: int, n: int, d: int, block: int, offset: float) -> None:
    rows = np.random.default_rng(seed).normal(size=(n, d)) + offset
    assert_close(Moments.of(rows, block_rows=block), rows)


@given(seed=st.integers(0, 2**32 - 1), exponent=st.integers(4, 11), cut=st.integers(1, 399))
def test_a_large_offset_does_not_drown_the_scatter(seed: int, exponent: int, cut: int) -> None:
    offset = 10.0**exponent
    rows = np.random.default_rng(seed).normal(size=(400, 3)) + offset
    merged = Moments.of(rows[:cut], block_rows=37).merge(Moments.of(rows[cut:]))
    expected = np.cov(rows.astype(np.longdouble) - np.longdouble(offset), rowvar=False)
    assert np.abs(merged.covariance() - expected.astype(float)).max() <= 1e-12


@given(seed=st.integers(0, 2**32 - 1), cuts=st.tuples(st.integers(0, 30), st.integers(0, 30)))
def test_merging_commutes_associates_and_has_a_neutral_element(seed: int, cuts: tuple[int, int]) -> None:
    rows = np.random.default_rng(seed).normal(size=(30, 4))
    low, high = sorted(cuts)
    a, b, c = Moments.of(rows[:low]), Moments.of(rows[low:high]), Moments.of(rows[high:])
    for merged in (
        a.merge(b).merge(c),
        a.merge(b.merge(c)),
        c.merge(a).merge(b),
        Moments.empty(4).merge(a.merge(b)).merge(c),
    ):
        assert_close(merged, rows)


def test_integers_and_half_precision_are_summed_in_double_precision() -> None:
    counts = np.random.default_rng(1).integers(0, 65536, size=(3000, 2)).astype(np.uint16)
    assert_close(Moments.of(counts), counts.astype(float))
    halves = np.random.default_rng(2).normal(size=(3000, 2)).astype(np.float16)
    assert_close(Moments.of(halves), halves.astype(float))


def test_one_rank_keeps_its_own_moments() -> None:
    moments = Moments.of(np.eye(3))
    assert merge_over_ranks(moments, Solo()) is moments


@pytest.mark.ranks
@pytest.mark.parametrize(
    ("launcher", "ranks", "offset"),
    [
        ("mpirun", 1, 0.0),
        ("mpirun", 2, 0.0),
        ("mpirun", 3, 0.0),
        ("mpirun", 2, 1e9),
        ("mpirun", 3, 1e9),
        ("gloo", 2, 1e9),
    ],
)
def test_any_number_of_ranks_finds_the_same_moments(launcher: str, ranks: int, offset: float, tmp_path: Path) -> None:
    run_gang(
        "moments_rank",
        [str(offset), str(tmp_path)],
        ranks=ranks,
        launcher=launcher,
        log_directory=tmp_path / "logs",
        environment={"PYTHONPATH": str(Path(__file__).parent)},
        timeout_s=120,
    )
    exact = known_rows(offset).astype(np.longdouble) - np.longdouble(offset)
    variances = np.diag(np.cov(exact, rowvar=False)).astype(float)
    scale = np.sqrt(np.outer(variances, variances))
    bits = set()
    for rank in range(ranks):
        with np.load(tmp_path / f"{rank}.npz") as said:
            assert said["n"] == len(exact)
            assert np.abs((said["mean"] - offset) - exact.mean(axis=0)).max() <= 1e-16 + 2.3e-16 * offset
            assert (np.abs(said["covariance"] - np.cov(exact, rowvar=False)) <= 1e-12 * scale).all()
            bits.add((said["mean"].tobytes(), said["covariance"].tobytes()))
    assert len(bits) == 1
