"""A classifier of wafer maps is the same network, with the same scores, whatever number of ranks trains and asks it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.evaluate.test_evaluate import assert_same, evaluate_anew
from tests.train.stored_run import store_run
from xpshpc.config import JobFile, validate_job
from xpshpc.plan.shards import split_shards
from xpshpc.run_directory import RunDirectory
from xpshpc.store.read import Store
from xpshpc.train.checkpoint import latest_checkpoint
from xpshpc.train.history import EpochFinished, history_path, read_history
from xpshpc.train.launch import train
from xpshpc.train.result import checkpoints_path, settings_hash

pytestmark = pytest.mark.ranks

UNEVEN = {0: 5, 3: 16, 10: 3}
"""Shards with so many samples in quarantine: one has none left, one is held out."""

EPOCHS = 3
Learned = tuple[list[np.ndarray], list[EpochFinished]]


def classifier_job(folder: Path) -> JobFile:
    """A job of drawn patterns in 12 shards, of which three are held out."""
    tables: dict[str, Any] = {
        "name": "maps",
        "seed": 11,
        "generate": {"source": "synthetic", "samples": 192, "shard_samples": 16, "inner_chunk_samples": 8},
        "split": {"validation": 0.2, "held_out": 0.25},
        "train": {
            "network": "wafer_cnn",
            "parameters": {"entry": 4, "widths": [4], "features": 6},
            "task": {"goal": "classify", "class_weights": "balanced", "augmentation": {"rotation_degrees": 20}},
            "epochs": EPOCHS,
            "global_batch": 24,
        },
        "evaluate": {"batch": 10, "frechet_samples": 60},
        "wafers": {"size": 16},
    }
    return validate_job(tables, where="test", folder=folder)


def learn(run: RunDirectory, job_file: JobFile, ranks: int) -> Learned:
    """The last variables of a training, and its history."""
    train(run, job_file, ranks=ranks)
    checkpoint = latest_checkpoint(checkpoints_path(run), settings_hash(job_file))
    assert checkpoint is not None
    return checkpoint.network + checkpoint.optimizer, list(read_history(history_path(run)))


def test_ranks_learn_the_same_classifier_and_find_the_same_confusion(tmp_path: Path) -> None:
    job_file = classifier_job(tmp_path)
    run = store_run(tmp_path, job_file, source=job_file.source(), quarantined=UNEVEN)
    other = RunDirectory(tmp_path / "together" / run.name)
    shutil.copytree(run.path, other.path)

    (alone, curve), (together, other_curve) = learn(run, job_file, 1), learn(other, job_file, 2)
    for mine, theirs in zip(together, alone, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-3, atol=2e-6)
    assert [epoch.epoch for epoch in other_curve] == list(range(1, EPOCHS + 1))
    for epoch, expected in zip(other_curve, curve, strict=True):
        assert epoch.learning_rate == expected.learning_rate
        assert epoch.loss == pytest.approx(expected.loss, rel=1e-4)
        assert epoch.validation == pytest.approx(expected.validation, rel=1e-3)
    assert curve[-1].loss < curve[0].loss, "what is compared has learned something"

    one, predictions, _ = evaluate_anew(run, job_file, ranks=1, launcher="gloo")
    two, same_predictions, _ = evaluate_anew(run, job_file, ranks=2, launcher="gloo")
    assert two.ranks == 2
    confusion = np.array(one.metrics["confusion"])
    store = Store(run)
    split = split_shards(len(store.plan), job_file.job.split)
    held_out = sum(int(store.valid(shard).sum()) for shard in split.held_out)
    assert confusion.shape == (9, 9) and confusion.sum() == one.metrics["samples"] == held_out
    assert two.metrics["confusion"] == one.metrics["confusion"]
    assert_same(two.metrics, one.metrics)
    assert predictions.keys() == same_predictions.keys()
    for name, values in predictions.items():
        np.testing.assert_array_equal(same_predictions[name], values)
