"""A checkpoint is there whole or not at all, and says what it was."""

import json
import math

import numpy as np
import pytest

from xpshpc.errors import EnvironmentFault, UsageError
from xpshpc.train.checkpoint import (
    Checkpoint,
    Progress,
    latest_checkpoint,
    load_best,
    load_checkpoint,
    save_checkpoint,
)
from xpshpc.train.history import EpochFinished, read_history, write_history

EPOCH = EpochFinished(1, 9, 0.5, {"loss": 0.25, "accuracy": 0.5}, 1.5, 100.0, 1e-3, 0.01)


def checkpoint(steps, best=-1, settings="s", **more):
    best_loss = 0.25 if best >= 0 else math.inf
    progress = Progress(settings, epoch=1, steps_done=steps, best_steps=best, best_loss=best_loss, **more)
    random = np.random.default_rng(steps)
    network = [random.standard_normal((3, 2)).astype(np.float32) for _ in range(12)] + [np.zeros((), np.float32)]
    return Checkpoint(progress, network, [np.array(steps, np.int64), *network])


def assert_equal(one, other):
    assert one.progress == other.progress
    for mine, theirs in zip(one.network + one.optimizer, other.network + other.optimizer, strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert mine.dtype == theirs.dtype


@pytest.mark.parametrize("best", [-1, 7])
def test_what_is_loaded_is_what_was_saved(best, tmp_path):
    saved = checkpoint(7, best, history=(EPOCH,), loss_sum=0.1 + 0.2, samples=5, step=3)
    path = save_checkpoint(tmp_path, saved, keep=2)
    assert_equal(load_checkpoint(path), saved)
    json.loads((path / "state.json").read_text(), parse_constant=pytest.fail)


def test_the_best_and_the_last_stay(tmp_path):
    for steps in range(1, 7):
        save_checkpoint(tmp_path, checkpoint(steps, best=2 if steps >= 2 else 1), keep=2)
    assert sorted(int(path.name.removeprefix("step-")) for path in tmp_path.iterdir()) == [2, 5, 6]
    progress = latest_checkpoint(tmp_path, "s").progress
    np.testing.assert_array_equal(load_best(tmp_path, progress)[0], checkpoint(2).network[0])


@pytest.mark.parametrize("name", ["network.npz", "optimizer.npz", "state.json"])
@pytest.mark.parametrize("tear", ["cut", "flip", "remove", "empty"])
def test_a_torn_checkpoint_is_passed_over(name, tear, tmp_path):
    save_checkpoint(tmp_path, checkpoint(1), keep=2)
    torn = save_checkpoint(tmp_path, checkpoint(2), keep=2) / name
    data = torn.read_bytes()
    if tear == "remove":
        torn.unlink()
    elif tear == "flip" and name != "state.json":
        torn.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    else:
        torn.write_bytes(b"" if tear == "empty" else data[: len(data) // 2])
    assert_equal(latest_checkpoint(tmp_path, "s"), checkpoint(1))


def test_a_half_written_checkpoint_is_none_and_does_not_stand_in_the_way(tmp_path):
    (tmp_path / ".step-0000000003.tmp").mkdir()
    (tmp_path / ".step-0000000003.tmp" / "network.npz").write_bytes(b"half")
    assert latest_checkpoint(tmp_path, "s") is None
    save_checkpoint(tmp_path, checkpoint(3), keep=1)
    assert [path.name for path in tmp_path.iterdir()] == ["step-0000000003"]


def test_saving_the_same_step_again_replaces_it(tmp_path):
    save_checkpoint(tmp_path, checkpoint(3), keep=1)
    save_checkpoint(tmp_path, checkpoint(3, samples=9), keep=1)
    assert latest_checkpoint(tmp_path, "s").progress.samples == 9


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    save_checkpoint(tmp_path, checkpoint(1, settings="other"), keep=1)
    with pytest.raises(UsageError, match="other settings"):
        latest_checkpoint(tmp_path, "s")


def test_a_torn_best_checkpoint_is_replaced_by_the_last(tmp_path):
    best = save_checkpoint(tmp_path, checkpoint(1, best=1), keep=1)
    save_checkpoint(tmp_path, checkpoint(2, best=1), keep=1)
    (best / "network.npz").write_bytes(b"")
    progress = latest_checkpoint(tmp_path, "s").progress
    np.testing.assert_array_equal(load_best(tmp_path, progress)[0], checkpoint(2).network[0])
    with pytest.raises(EnvironmentFault):
        load_best(tmp_path / "nowhere", progress)


def test_the_loss_curve_reads_back_as_written(tmp_path):
    path = tmp_path / "history.jsonl"
    assert read_history(path) == []
    write_history(path, [EPOCH, EPOCH])
    assert read_history(path) == [EPOCH, EPOCH]
    write_history(path, [])
    assert read_history(path) == []
