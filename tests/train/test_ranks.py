"""Training over ranks is training on one rank: same batches, same weights, same loss curve, whatever happens."""

import json
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.train.stored_run import small_job, store_run
from xpshpc.cli.app import run_app
from xpshpc.cluster.ranks.gang import RankKilled, run_gang
from xpshpc.errors import Drained, UsageError, XpshpcError
from xpshpc.run_directory import RunDirectory
from xpshpc.train.checkpoint import Checkpoint, Progress, latest_checkpoint, save_checkpoint
from xpshpc.train.history import EpochFinished, history_path, read_history
from xpshpc.train.launch import train
from xpshpc.train.result import PausedTraining, card_path, checkpoints_path, file_hash, read_result, settings_hash

pytestmark = pytest.mark.ranks

HERE = Path(__file__).parent
EPOCHS = 10
UNEVEN = {0: 5, 3: 32, 6: 1}
"""Shards with so many samples in quarantine; one has none left."""


def fresh_run(folder):
    job_file = small_job(folder, epochs=EPOCHS)
    return store_run(folder, job_file, quarantined=UNEVEN), job_file


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """A run that one rank trained from beginning to end."""
    run, job_file = fresh_run(tmp_path_factory.mktemp("reference"))
    train(run, job_file, ranks=1)
    return run, job_file


def last_variables(run, job_file):
    checkpoint = latest_checkpoint(checkpoints_path(run), settings_hash(job_file))
    return checkpoint.network + checkpoint.optimizer


def assert_same_training(run, job_file, reference):
    for mine, theirs in zip(last_variables(run, job_file), last_variables(*reference), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-3, atol=2e-6)
    mine, theirs = read_history(history_path(run)), read_history(history_path(reference[0]))
    assert [epoch.epoch for epoch in mine] == list(range(1, EPOCHS + 1))
    for epoch, expected in zip(mine, theirs, strict=True):
        assert epoch.learning_rate == expected.learning_rate
        assert epoch.loss == pytest.approx(expected.loss, rel=1e-4)
        assert epoch.validation == pytest.approx(expected.validation, rel=1e-3)


def rank_processes():
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # one that ended, collected or not, is no rank
            found += [child] if "xpshpc.train" in child.cmdline() else []
    return found


def take_steps(folder, ranks, launcher="gloo"):
    """Each rank's variables after the same few global batches, by the name of the experiment."""
    from tests.train.step_rank import EXPERIMENTS

    run_gang(
        "step_rank",
        [str(folder)],
        ranks=ranks,
        launcher=launcher,
        log_directory=folder / "logs",
        environment={"PYTHONPATH": str(HERE)},
        timeout_s=240,
    )
    return {
        name: [dict(np.load(folder / f"{name}-{ranks}-{rank}.npz")) for rank in range(ranks)] for name in EXPERIMENTS
    }


@pytest.fixture(scope="module")
def one_rank_steps(tmp_path_factory):
    return take_steps(tmp_path_factory.mktemp("steps"), 1)


@pytest.mark.parametrize(("launcher", "ranks"), [("gloo", 2), ("mpirun", 2), ("gloo", 3)])
def test_ranks_hold_the_same_weights_as_each_other_and_as_one(launcher, ranks, one_rank_steps, tmp_path):
    taken = take_steps(tmp_path, ranks, launcher)
    for name, (first, *others) in taken.items():
        (alone,) = one_rank_steps[name]
        loose = 50 if name == "half" else 1
        scales = max(key for key in alone if key != "told") if name == "half" else None
        for key in alone:
            for other in others:
                np.testing.assert_array_equal(first[key], other[key], err_msg=key)
            if key != scales:
                near = {"rtol": 2e-4 * loose, "atol": 1e-6 * loose}
                np.testing.assert_allclose(first[key], alone[key], **near, err_msg=f"{name} {key}")
        assert first["told"][:, 2].tolist() == [0, 0, 1, 0]
    assert (one_rank_steps["plain"][0]["told"][:, 1] > 0.05).any()
    for key in (key for key in taken["plain"][0] if key != "told"):
        np.testing.assert_allclose(taken["in_parts"][0][key], taken["plain"][0][key], rtol=2e-4, atol=1e-6)
    clipped, free = one_rank_steps["clipped"][0], one_rank_steps["plain"][0]
    assert not np.array_equal(clipped["000"], free["000"])
    # Ranks that compress know their scales; one rank by itself never sends.
    half, alone = taken["half"][0], one_rank_steps["half"][0]
    scales = max(key for key in half if key != "told")
    assert np.isfinite(half[scales]).all() and np.isinf(alone[scales]).all()


@pytest.mark.parametrize(("launcher", "ranks"), [("gloo", 3), ("mpirun", 2)])
def test_any_number_of_ranks_learns_the_same_network(launcher, ranks, reference, tmp_path):
    run, job_file = fresh_run(tmp_path)
    events = []
    result = train(run, job_file, ranks=ranks, launcher=launcher, on_event=events.append)
    assert_same_training(run, job_file, reference)
    assert (result.ranks, result.epochs, result.resumed_from, result.reused) == (ranks, EPOCHS, None, False)
    assert [event.epoch for event in events if isinstance(event, EpochFinished)] == list(range(1, EPOCHS + 1))
    assert (type(events[0]).__name__, events[0].done, events[0].unit) == ("StageStarted", 0, "steps")
    assert type(events[-1]).__name__ == "StageFinished"


def test_a_finished_training_is_complete_and_not_done_again(reference):
    run, job_file = reference
    again = train(run, job_file, ranks=2)
    assert again.reused and again == read_result(run)
    card = json.loads(card_path(run).read_bytes())
    assert card["sha256"] == file_hash(run.model)
    assert card["elements"] == list(job_file.problem().elements)
    best = min(read_history(history_path(run)), key=lambda epoch: epoch.validation["loss"])
    assert again.validation == best.validation and again.best_epoch == best.epoch
    assert list((run.train / "tensorboard").glob("events.out.tfevents.*"))


@pytest.mark.faults
@pytest.mark.parametrize("launcher", ["gloo", "mpirun"])
def test_a_killed_rank_ends_the_gang_and_resuming_gives_the_uninterrupted_curve(launcher, reference, tmp_path):
    run, job_file = fresh_run(tmp_path)

    def kill_second_rank(event):
        if isinstance(event, EpochFinished) and event.epoch == 2:
            ranks = [each for each in rank_processes() if "mpirun" not in each.cmdline()[0]]
            assert len(ranks) == 2
            ranks[1].kill()

    with pytest.raises(RankKilled, match=r"rank . of 2 was ended by SIGKILL"):
        train(run, job_file, ranks=2, launcher=launcher, on_event=kill_second_rank)
    assert rank_processes() == []
    assert not run.model.exists()
    result = train(run, job_file, ranks=2)
    assert result.resumed_from is not None and result.resumed_from > 0
    assert_same_training(run, job_file, reference)


@pytest.mark.faults
def test_asked_to_stop_it_goes_on_from_the_same_step_with_another_number_of_ranks(reference, tmp_path):
    run, job_file = fresh_run(tmp_path)

    def ask_one_rank(event):
        if isinstance(event, EpochFinished) and event.epoch == 3:
            rank_processes()[-1].terminate()

    with pytest.raises(Drained):
        train(run, job_file, ranks=2, on_event=ask_one_rank)
    stopped_at = latest_checkpoint(checkpoints_path(run), settings_hash(job_file)).progress
    result = train(run, job_file, ranks=1)
    assert result.resumed_from == stopped_at.steps_done
    assert_same_training(run, job_file, reference)


def test_paused_and_stopped_early_it_is_the_beginning_of_the_uninterrupted_training(reference, tmp_path, capfd):
    # The first value always counts as a gain, and none after it is large enough.
    patience = {"patience_epochs": 3, "metric": "accuracy", "smallest_gain": 10}
    job_file = small_job(tmp_path, epochs=EPOCHS, early_stopping=patience)
    run = store_run(tmp_path, job_file, quarantined=UNEVEN)
    paused = train(run, job_file, ranks=2, until_epoch=2)
    assert isinstance(paused, PausedTraining) and (paused.epochs, paused.ranks) == (2, 2)
    assert not run.model.exists() and rank_processes() == []
    events = []
    assert train(run, job_file, ranks=2, until_epoch=1, on_event=events.append) == paused and not events
    capfd.readouterr()
    assert run_app(["train", str(run.path), "--until-epoch", "2", "--ranks", "2", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told == json.loads(json.dumps(paused.as_json())) and (told["paused"], told["epochs"]) == (True, 2)
    result = train(run, job_file, ranks=1)
    assert result.stopped_early and (result.epochs, result.reused) == (4, False) and run.model.exists()
    assert train(run, job_file, ranks=1, until_epoch=9).reused
    mine, theirs = read_history(history_path(run)), read_history(history_path(reference[0]))
    assert paused.validation == mine[1].validation
    assert paused.best == min(mine[:2], key=lambda epoch: epoch.validation["loss"]).validation
    for epoch, expected in zip(mine, theirs[:4], strict=True):
        assert epoch.learning_rate == expected.learning_rate
        assert epoch.loss == pytest.approx(expected.loss, rel=1e-4)
        assert epoch.validation == pytest.approx(expected.validation, rel=1e-3)


def test_the_first_shards_are_trained_on_in_half_precision_and_parts(tmp_path):
    job_file = small_job(
        tmp_path,
        epochs=2,
        precision="mixed_bfloat16",
        compression="fp16",
        accumulate=2,
        optimizer="lamb",
        weight_decay=0.01,
        schedule="steps",
        decay_epochs=[1],
        train_samples=100,
    )

    def spoil(shard, rows):
        if 4 <= shard < 9:
            rows["spectrum"][:] = 0  # shards that are left out: their loss would be no number

    run = store_run(tmp_path, job_file, spoil=spoil)
    result = train(run, job_file, ranks=2)
    assert result.epochs == 2 and not result.stopped_early
    # Four shards of 32 hold the hundred samples: two batches of 48 an epoch.
    assert latest_checkpoint(checkpoints_path(run), settings_hash(job_file)).progress.steps_done == 4
    import keras

    loaded = keras.saving.load_model(run.model, compile=False, safe_mode=True)
    assert loaded.get_layer("features").compute_dtype == "bfloat16"


@pytest.mark.faults
def test_a_torn_checkpoint_is_passed_over(reference, tmp_path):
    run, job_file = RunDirectory(tmp_path / "copy"), reference[1]
    shutil.copytree(reference[0].path, run.path)
    *_, before, last = sorted(checkpoints_path(run).iterdir())
    whole = (last / "network.npz").read_bytes()
    (last / "network.npz").write_bytes(whole[: len(whole) // 2])
    run.model.unlink()
    result = train(run, job_file, ranks=1)
    assert result.resumed_from == int(before.name.removeprefix("step-"))
    assert_same_training(run, job_file, reference)


@pytest.mark.faults
def test_a_loss_that_is_no_number_stops_all_ranks_and_names_the_shards(tmp_path):
    job_file = small_job(tmp_path, counts="float32")

    def spoil(shard, rows):
        if shard == 4:
            rows["spectrum"][7, 11] = np.inf

    run = store_run(tmp_path, job_file)
    train(run, job_file, ranks=1, until_epoch=1)
    good = latest_checkpoint(checkpoints_path(run), settings_hash(job_file))
    shutil.rmtree(run.data)
    shutil.copytree(store_run(tmp_path / "spoilt", job_file, spoil=spoil).data, run.data)
    with pytest.raises(XpshpcError, match=r"not finite, from bad samples of shard\(s\) 4;") as caught:
        train(run, job_file, ranks=2)
    assert caught.value.where.startswith("epoch 2, step ")
    assert not run.model.exists() and rank_processes() == []
    kept = latest_checkpoint(checkpoints_path(run), settings_hash(job_file))
    assert kept.progress == good.progress and kept.progress.epoch == 1


@pytest.mark.faults
def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    job_file = small_job(tmp_path)
    run = store_run(tmp_path, job_file)
    foreign = Checkpoint(Progress(settings_hash(job_file), steps_done=1), [np.zeros(3, np.float32)], [])
    save_checkpoint(checkpoints_path(run), foreign, keep=1)
    with pytest.raises(UsageError, match="variables of another network") as caught:
        train(run, job_file, ranks=1)
    assert "--restart" in caught.value.try_
