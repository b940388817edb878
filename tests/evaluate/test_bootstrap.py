"""A resample has the distance of the rows drawn; the interval holds what other sets of the kind would give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xpshpc.cluster.communicator import Solo
from xpshpc.evaluate.bootstrap import Resampled, bootstrap_frechet
from xpshpc.evaluate.frechet import frechet_distance


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 30), m=st.integers(2, 30), d=st.integers(1, 40))
def test_a_resample_has_the_distance_of_the_rows_drawn(seed: int, n: int, m: int, d: int) -> None:
    random = np.random.default_rng(seed)
    a, b = random.normal(7, 1, size=(n, d)), random.normal(7.5, 2, size=(m, d))
    drawn_a, drawn_b = random.integers(n, size=n), random.integers(m, size=m)
    expected = frechet_distance(a[drawn_a], b[drawn_b])
    scale = expected.value + expected.trace_a + expected.trace_b
    assert Resampled(a, b).distance(drawn_a, drawn_b) == pytest.approx(expected.value, abs=1e-9 * scale)


def test_the_whole_drawn_once_is_the_distance_itself() -> None:
    random = np.random.default_rng(1)
    for d in (8, 200):
        a, b = random.normal(size=(50, d)), random.normal(0.2, 1, size=(40, d))
        found = Resampled(a, b).distance(random.permutation(50), random.permutation(40))
        assert found == pytest.approx(frechet_distance(a, b).value, rel=1e-10)


@pytest.mark.parametrize(("n", "d"), [(60, 4), (30, 60)])
def test_most_intervals_hold_the_mean_distance_of_sets_of_that_size(n: int, d: int) -> None:
    random = np.random.default_rng(d)

    def draw() -> tuple[np.ndarray, np.ndarray]:
        return random.normal(size=(n, d)) * np.geomspace(1, 0.1, d), random.normal(0.3, 1, size=(n, d))

    mean = np.mean([frechet_distance(*draw()).value for _ in range(100)])
    held = raw = 0
    for trial in range(20):
        a, b = draw()
        value = frechet_distance(a, b).value
        found = bootstrap_frechet(a, b, value, Solo(), resamples=50, level=0.9, seed=trial)
        assert 0 <= found.low <= value <= found.high
        assert found.bias > 0, "resampled rows repeat, so that fewer of them span the set"
        held += bool(found.low <= mean <= found.high)
        raw += bool(found.percentile_low <= mean <= found.percentile_high)
    assert held >= 15
    if d > n:
        # Where dimensions are many, bare percentiles lie beyond the value altogether: why the bias is taken from them.
        assert raw < held / 2


def test_the_seed_decides_the_interval() -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(size=(20, 30)), random.normal(size=(25, 30))
    value = frechet_distance(a, b).value
    found = bootstrap_frechet(a, b, value, Solo(), resamples=11)
    assert found.resamples == 11
    assert bootstrap_frechet(a, b, value, Solo(), resamples=11) == found
    assert bootstrap_frechet(a, b, value, Solo(), resamples=11, seed=1) != found
