"""`fid` is the distance of all ranks' rows, beside that of two halves of the first set."""

from __future__ import annotations

import numpy as np
import pytest

from xpshpc.cluster.communicator import Solo
from xpshpc.evaluate.fid import fid
from xpshpc.evaluate.frechet import frechet_distance


def draw_rows(n: int, d: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1 + shift, size=(n, d)).astype(np.float32)


@pytest.mark.parametrize(("n", "d"), [(300, 20), (30, 50)])
def test_the_answer_is_the_distance_with_its_baseline(n: int, d: int) -> None:
    a, b = draw_rows(n, d, 1), draw_rows(n + 5, d, 2, shift=0.5)
    found = fid(a, b, Solo())
    expected = frechet_distance(a, b)
    assert found.distance.value == pytest.approx(expected.value, rel=1e-12)
    assert found.distance.method == expected.method
    assert found.halves is not None
    assert (found.halves.n_a, found.halves.n_b) == (n // 2, n - n // 2)
    # Two halves of one set are nearer to each other than to a set from elsewhere, and not at one place.
    assert 0 < found.halves.value < found.distance.value


def test_a_set_has_no_distance_from_itself() -> None:
    rows = draw_rows(200, 30, 1)
    assert 0 <= fid(rows, rows, Solo()).distance.value < 1e-9


def test_two_or_three_samples_have_a_distance_but_no_halves() -> None:
    assert fid(draw_rows(3, 4, 1), draw_rows(2, 4, 2), Solo()).halves is None


def test_the_seed_draws_the_halves_and_leaves_the_distance() -> None:
    a, b = draw_rows(40, 5, 1), draw_rows(40, 5, 2)
    one, other = fid(a, b, Solo()), fid(a, b, Solo(), seed=1)
    assert one.distance.value == pytest.approx(other.distance.value, rel=1e-12)
    assert one.halves is not None and other.halves is not None
    assert one.halves.value != other.halves.value
