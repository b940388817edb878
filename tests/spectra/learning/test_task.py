"""The table [train.task]: what is refused, and in which words."""

import numpy as np
import pytest

from xpshpc.errors import UsageError
from xpshpc.spectra.learning.problem import XpsProblem
from xpshpc.spectra.learning.task import LossName, XpsTask, read_task


def test_a_task_is_what_its_own_words_say():
    task = read_task({"input": "peaks", "peaks": 12, "loss": "mae", "augmentation": {"shift_eV": 1.5}})
    assert read_task(task.model_dump(mode="json")) == task
    assert read_task({}) == XpsTask()


@pytest.mark.parametrize("loss", LossName.__args__)
def test_every_loss_has_a_weight_for_the_thickness_that_can_be_overruled(loss):
    assert XpsTask(loss=loss).thickness_share > 0
    assert XpsTask(loss=loss, thickness_weight=0.5).thickness_share == 0.5
    assert XpsTask(loss=loss, thickness_weight=0).thickness_share == 0


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"los": "mae"}, "los: unknown key .did you mean 'loss'"),
        ({"loss": "huber"}, "loss: .*'rmse'"),
        ({"smoothing_channels": 10}, "smoothing_channels: 10 is even.*9 or 11"),
        ({"smoothing_channels": 3, "smoothing_degree": 3}, "^train.task: smoothing_degree 3 needs more than 3"),
        ({"augmentation": {"shift": 1}}, "augmentation.shift: unknown key .did you mean 'shift_eV'"),
        ({"peaks": 0, "thickness_weight": -1}, "peaks: .*; thickness_weight: "),
    ],
)
def test_a_task_that_cannot_be_is_refused(told, words):
    with pytest.raises(UsageError, match=words) as caught:
        read_task(told)
    assert caught.value.where == "train.task"


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"input": "smoothed", "smoothing_channels": 65}, "wider than the spectra's 64"),
        ({"input": "peaks", "peaks": 17}, "17 peaks do not fit into 64 channels"),
    ],
)
def test_a_task_that_does_not_fit_the_axis_is_refused(told, words):
    axis = np.linspace(400, 1486, 64)
    with pytest.raises(UsageError, match=words) as caught:
        XpsProblem(axis, ("C", "O"), 1486.6, 10.0, read_task(told))
    assert caught.value.where.startswith("train.task.")
    XpsProblem(axis, ("C", "O"), 1486.6, 10.0, read_task({**told, "input": "unit"}))
