"""A training ends when nothing gets better any more, and a resumed one decides as one that was never stopped."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.config import Train
from xpshpc.train.history import EpochFinished
from xpshpc.train.metric import larger_is_better
from xpshpc.train.stopping import epochs_without_gain, is_over

values = st.lists(st.floats(-10, 10) | st.just(math.nan) | st.just(math.inf), max_size=30)


def history(name, curve):
    return [EpochFinished(n, 30, 1.0, {"loss": 1.0, name: value}, 1.0, 1.0, 1e-3, 0.0) for n, value in enumerate(curve)]


@given(values)
def test_larger_is_the_mirror_of_smaller(curve):
    finite = [value if math.isfinite(value) else math.nan for value in curve]
    falling = epochs_without_gain(finite, smallest_gain=0.5, largest=False)
    assert falling == epochs_without_gain([-value for value in finite], smallest_gain=0.5, largest=True)


@given(values, st.floats(0, 3))
def test_each_epoch_starts_the_count_again_or_adds_one(curve, gain):
    counts = [
        epochs_without_gain(curve[:epochs], smallest_gain=gain, largest=False) for epochs in range(len(curve) + 1)
    ]
    assert counts[0] == 0
    for before, after in pairwise(counts):
        assert after in (0, before + 1)


@pytest.mark.parametrize(
    ("curve", "gain", "expected"),
    [
        ([3, 2, 1], 0.0, 0),
        ([3, 2, 2, 2], 0.0, 2),
        ([3, 2.9, 2.8, 2.4], 0.5, 0),
        ([3, 2.9, 2.8, 2.6], 0.5, 3),
        ([math.nan, math.nan], 0.0, 2),
        ([math.nan, 5, math.nan], 0.0, 1),
        ([1, math.nan, 2, 0.5], 0.0, 0),
    ],
)
def test_known_curves(curve, gain, expected):
    assert epochs_without_gain(curve, smallest_gain=gain, largest=False) == expected


def test_patience_ends_a_training_and_the_last_epoch_does():
    stopping = {"patience_epochs": 2, "metric": "accuracy"}
    train = Train(epochs=5, early_stopping=stopping)
    assert not is_over(train, history("accuracy", [0.5, 0.6, 0.6]))
    assert is_over(train, history("accuracy", [0.5, 0.6, 0.6, 0.6]))
    assert not is_over(train, history("accuracy", [0.5, 0.6, 0.6, 0.7]))
    assert is_over(train, history("accuracy", [0.5, 0.6, 0.7, 0.8, 0.9]))
    assert not is_over(Train(epochs=5), history("accuracy", [0.5] * 4))


def test_the_words_of_a_name_tell_which_way_is_better():
    assert all(larger_is_better(name) for name in ("accuracy", "mean_r2", "f1", "recall_of_copper"))
    assert not any(larger_is_better(name) for name in ("loss", "rmse", "thickness_mae_A", "inaccuracy"))
