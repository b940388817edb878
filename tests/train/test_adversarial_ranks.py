"""Two networks that train each other become the same over ranks as on one, drained and gone on with or not."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.train.gan_run import gan_job
from tests.train.stored_run import store_run
from xpshpc.cluster.ranks.gang import run_gang
from xpshpc.errors import UsageError
from xpshpc.evaluate.evaluate import evaluate
from xpshpc.train.check import check_training
from xpshpc.train.history import history_path, read_history
from xpshpc.train.launch import train
from xpshpc.train.pictures import pictures_path
from xpshpc.train.result import PausedTraining, TrainResult

HERE = Path(__file__).parent
EPOCHS = 3


def take_steps(folder, ranks):
    run_gang(
        "adversarial_rank",
        [str(folder)],
        ranks=ranks,
        launcher="gloo",
        log_directory=folder / "logs",
        environment={"PYTHONPATH": str(HERE)},
        timeout_s=400,
    )
    return [dict(np.load(folder / f"{ranks}-{rank}.npz")) for rank in range(ranks)]


@pytest.mark.ranks
def test_ranks_hold_the_same_networks_as_each_other_and_as_one(tmp_path):
    (alone,) = take_steps(tmp_path, 1)
    assert alone["told"][:, 2].tolist() == [0, 0, 1, 0]
    for ranks in (2, 3):
        first, *others = take_steps(tmp_path, ranks)
        for key, values in alone.items():
            for other in others:
                np.testing.assert_array_equal(first[key], other[key], err_msg=key)
            np.testing.assert_allclose(first[key], values, rtol=1e-3, atol=2e-5, err_msg=f"{ranks} ranks, {key}")


@pytest.mark.ranks
def test_a_training_that_pauses_and_changes_its_ranks_ends_as_one_that_does_not(tmp_path):
    run, whole = (store_run(tmp_path / name, gan_job(tmp_path, epochs=EPOCHS)) for name in ("paused", "whole"))
    job_file = gan_job(tmp_path, epochs=EPOCHS)
    paused = train(run, job_file, ranks=2, until_epoch=1)
    assert isinstance(paused, PausedTraining) and not run.model.exists()
    result = train(run, job_file, ranks=1)
    assert isinstance(result, TrainResult) and result.resumed_from
    reference = train(whole, job_file, ranks=1)

    mine, theirs = read_history(history_path(run)), read_history(history_path(whole))
    assert [epoch.epoch for epoch in mine] == list(range(1, EPOCHS + 1))
    for epoch, expected in zip(mine, theirs, strict=True):
        assert epoch.loss == pytest.approx(expected.loss, rel=1e-3)
        assert epoch.validation == pytest.approx(expected.validation, rel=1e-2, abs=1e-3)
    # What is kept is the last network, whichever had the smallest loss.
    assert result.best_epoch == reference.best_epoch == EPOCHS
    assert result.validation == mine[-1].validation and result.as_json()["warnings"] == []

    card = json.loads(run.model_card.read_bytes())
    assert (card["goal"], card["conditional"], card["classes"]) == ("generate", True, ["Center", "Donut"])
    names = sorted(path.name for path in pictures_path(run).iterdir())
    assert names == [f"epoch-{epoch:06d}.png" for epoch in (1, 2, 3)]
    assert_plain_keras_makes_images(run.model, whole.model)
    with pytest.raises(UsageError, match="judged by what it makes"):
        evaluate(run, job_file, ranks=1)


def assert_plain_keras_makes_images(path, reference):
    import keras

    networks = [keras.saving.load_model(each, compile=False, safe_mode=True) for each in (path, reference)]
    assert all(type(layer).__module__.startswith("keras.") for layer in networks[0].layers)
    random = np.random.default_rng(0)
    asked = {"latent": random.standard_normal((8, 6)).astype(np.float32), "label": np.arange(8, dtype=np.int32) % 2}
    images, expected = (np.asarray(network(asked, training=False)["image"]) for network in networks)
    assert images.shape == (8, 16, 16, 1) and np.abs(images).max() <= 1
    np.testing.assert_allclose(images, expected, atol=2e-3)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("accumulate", 2),
        ("optimizer", "sgd"),
        ("compression", "fp16"),
        ("precision", "mixed_float16"),
        ("elastic", {}),
    ],
)
def test_what_two_networks_cannot_have_is_refused_before_any_rank_starts(tmp_path, key, value):
    with pytest.raises(UsageError) as refused:
        check_training(gan_job(tmp_path, **{key: value}), 2)
    assert refused.value.where == f"train.{key}"


def test_shares_that_are_not_whole_groups_are_refused_and_metrics_are_known_by_name(tmp_path):
    check_training(gan_job(tmp_path), 3)
    with pytest.raises(UsageError, match="groups of 4"):
        check_training(gan_job(tmp_path), 4)
    check_training(gan_job(tmp_path, early_stopping={"metric": "diversity", "patience_epochs": 2}), 2)
    with pytest.raises(UsageError, match="diversity"):
        check_training(gan_job(tmp_path, early_stopping={"metric": "diversty", "patience_epochs": 2}), 2)
