"""What is no number is never taken for a network's merit."""

from __future__ import annotations

import numpy as np
import pytest

from tests.train.stored_run import small_job, store_run
from xpshpc.cluster.communicator import Solo
from xpshpc.domain import check_sound, sound_rows
from xpshpc.errors import UsageError, XpshpcError
from xpshpc.evaluate.evaluate import evaluate
from xpshpc.plan.shards import split_shards
from xpshpc.store.read import Store
from xpshpc.train.checkpoint import latest_checkpoint
from xpshpc.train.launch import train
from xpshpc.train.result import checkpoints_path, settings_hash
from xpshpc.train.validation import validate


class Constant:
    """A network that answers every spectrum, sound or not, alike: as one behind a rectifier does."""

    def answer(self, inputs, truth):
        return {name: np.ones_like(values) for name, values in truth.items()}, np.ones(len(inputs), np.float32)


@pytest.mark.parametrize(("name", "place"), [("spectrum", (5, 7)), ("composition", (5, 2))])
def test_a_spectrum_or_truth_that_is_no_number_is_named_by_its_shard(tmp_path, name, place):
    job_file = small_job(tmp_path, counts="float32")
    first, second, *_ = shards = split_shards(13, job_file.job.split).validation

    def spoil(shard, rows):
        if shard == second:
            rows[name][place] = np.inf

    store = Store(store_run(tmp_path, job_file, spoil=spoil))
    with pytest.raises(UsageError, match=r"1 sample\(s\) are not finite") as caught:
        validate(Constant(), job_file.problem(), store, shards, Solo(), batch=16)
    assert caught.value.where == f"shard {second}" and caught.value.try_
    assert validate(Constant(), job_file.problem(), store, [first], Solo(), batch=16)["loss"] == 1


@pytest.mark.ranks
@pytest.mark.faults
def test_a_network_that_is_lost_after_its_last_sound_step_is_no_model(tmp_path):
    # One step an epoch: its loss is still that of the first weights, and only validation sees the new ones.
    job_file = small_job(tmp_path, learning_rate=1e30, global_batch=64, train_samples=64)
    run = store_run(tmp_path, job_file)
    with pytest.raises(XpshpcError, match="the validation loss is not finite") as caught:
        train(run, job_file, ranks=1)
    assert caught.value.where == "epoch 1, validation" and "learning_rate" in caught.value.try_
    assert not run.model.exists()
    assert latest_checkpoint(checkpoints_path(run), settings_hash(job_file)) is None


@pytest.mark.ranks
@pytest.mark.faults
def test_held_out_samples_that_are_no_numbers_are_not_scored(tmp_path):
    job_file = small_job(tmp_path, counts="float32", epochs=1, train_samples=96)
    held_out = split_shards(13, job_file.job.split).held_out

    def spoil(shard, rows):
        if shard == held_out[0]:
            rows["spectrum"][3, 9] = np.inf

    run = store_run(tmp_path, job_file, spoil=spoil)
    train(run, job_file, ranks=1)
    with pytest.raises(UsageError, match="not finite") as caught:
        evaluate(run, job_file, ranks=1)
    assert caught.value.where == f"shard {held_out[0]}"


def test_of_no_samples_none_is_unsound():
    none = sound_rows(np.zeros((0, 5)), np.zeros(0))
    assert none.shape == (0,)
    check_sound(7, np.zeros((0, 5), np.float32), {"composition": np.zeros((0, 3)), "overlayer_thickness": np.zeros(0)})
