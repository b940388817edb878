"""The inception score equals its definition, and lies where a divergence from a mean can."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.cluster.communicator import Solo
from xpshpc.errors import UsageError
from xpshpc.evaluate.inception_score import inception_score


def by_definition(p: np.ndarray) -> float:
    """exp of the mean divergence, term by term in extended precision."""
    p = p.astype(np.longdouble)
    p = p / p.sum(axis=1, keepdims=True)
    mean = p.mean(axis=0)
    divergence = sum(x * (np.log(x) - np.log(y)) for row in p for x, y in zip(row, mean, strict=True) if x > 0)
    return float(np.exp(divergence / len(p)))


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 60),
    classes=st.integers(1, 12),
    sharpness=st.floats(0, 300),
    splits=st.integers(1, 12),
)
def test_it_equals_the_definition_and_keeps_its_bounds(
    seed: int, n: int, classes: int, sharpness: float, splits: int
) -> None:
    p = softmax(np.random.default_rng(seed).normal(size=(n, classes)) * sharpness)
    found = inception_score(p, Solo(), splits=splits)
    assert 1 <= found.mean <= classes * (1 + 1e-12)
    assert found.std >= 0
    assert found.splits == max(1, min(splits, n // 2))
    whole = inception_score(p, Solo(), splits=1)
    assert whole.mean == pytest.approx(by_definition(p), rel=1e-12)
    assert whole.std == 0


def test_sure_and_varied_answers_score_as_many_as_classes_and_equal_ones_score_one() -> None:
    sure = np.eye(7, dtype=np.float32)[np.arange(700) % 7]
    assert inception_score(sure, Solo(), splits=1).mean == pytest.approx(7, rel=1e-14)
    assert inception_score(np.full((50, 7), 1 / 7), Solo()).mean == pytest.approx(1, abs=1e-14)
    assert inception_score(sure[:1].repeat(50, axis=0), Solo()).mean == 1


def test_splits_are_shuffled_so_that_the_order_of_images_does_not_decide() -> None:
    # Class after class: unshuffled splits would each hold a single class, and score 1.
    ordered = np.eye(10)[np.repeat(np.arange(10), 50)]
    found = inception_score(ordered, Solo())
    assert found.mean > 8
    assert inception_score(ordered, Solo(), seed=1).mean != found.mean
    assert inception_score(ordered, Solo()) == found


def test_what_are_no_probabilities_is_refused() -> None:
    good = np.full((4, 2), 0.5)
    for value in (np.nan, -0.5, 0.7):
        bad = good.copy()
        bad[2, 1] = value
        with pytest.raises(UsageError, match="probabilities"):
            inception_score(bad, Solo())
    with pytest.raises(UsageError, match="no image"):
        inception_score(np.empty((0, 3)), Solo())
