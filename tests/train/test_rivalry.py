"""Collapse and a discriminator that wins are read off the history, and only when they last."""

import pytest

from xpshpc.train.history import EpochFinished
from xpshpc.train.pictures import is_drawn
from xpshpc.train.rivalry import LEAST_DIVERSITY, PATIENCE_EPOCHS, Trouble, find_troubles, tell_warnings

HEALTHY = {"loss": 2.0, "diversity": 0.8, "real_score": 0.7, "fake_score": 0.3}
ALIKE = {**HEALTHY, "diversity": LEAST_DIVERSITY / 2}
BEATEN = {**HEALTHY, "real_score": 1.0, "fake_score": 0.0}


@pytest.mark.parametrize(
    ("bad", "trouble"), [(ALIKE, Trouble.COLLAPSED), (BEATEN, Trouble.DISCRIMINATOR_WINS)], ids=["alike", "beaten"]
)
def test_a_trouble_is_found_when_it_lasts_and_not_before(bad, trouble):
    for epochs in range(2 * PATIENCE_EPOCHS):
        found = find_troubles([HEALTHY, HEALTHY, *[bad] * epochs])
        assert found == ((trouble,) if epochs >= PATIENCE_EPOCHS else ())
    assert find_troubles([*[bad] * 20, HEALTHY]) == ()
    assert find_troubles([bad] * (PATIENCE_EPOCHS - 1)) == ()


def test_both_troubles_can_be_there_and_one_score_alone_is_none():
    assert set(find_troubles([{**ALIKE, **BEATEN, "diversity": 0.0}] * PATIENCE_EPOCHS)) == set(Trouble)
    assert find_troubles([{**HEALTHY, "real_score": 1.0}] * PATIENCE_EPOCHS) == ()
    assert find_troubles([{**HEALTHY, "fake_score": 0.0}] * PATIENCE_EPOCHS) == ()


def epoch(number, *warnings):
    return EpochFinished(number, 9, 2.0, dict(HEALTHY), 1.0, 1.0, 1e-3, 0.0, warnings)


def test_a_training_tells_each_trouble_once_with_its_epochs():
    history = [epoch(1), epoch(2, "alike"), epoch(3, "alike", "beaten"), epoch(4)]
    assert tell_warnings(history) == ["alike (epoch 2 to 3, 2 in all of 4)", "beaten (epoch 3 of 4)"]
    assert tell_warnings([epoch(1), epoch(2)]) == []


def test_sheets_are_drawn_often_at_first_then_rarely_and_at_the_end():
    drawn = [number for number in range(1, 34) if is_drawn(number, 33)]
    assert drawn == [1, 2, 5, 10, 20, 30, 33]
