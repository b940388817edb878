"""What a training leaves for others: the network in Keras' own format, its card, and curves for TensorBoard."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.domain import Problem
from xpshpc.run_directory import RunDirectory, sync_directory, write_atomically
from xpshpc.train.checkpoint import Progress
from xpshpc.train.history import EpochFinished, kept_epoch
from xpshpc.train.result import card_path, file_hash
from xpshpc.train.rivalry import tell_warnings


def summarise(
    progress: Progress, *, epochs: int, ranks: int, resumed_from: int | None, keeps_last: bool = False
) -> dict[str, Any]:
    """The training as its card tells it; `epochs` is how many there were to be.

    What is kept is the network of the last epoch, or else that with the smallest validation loss.
    """
    history = progress.history
    seconds = sum(epoch.seconds for epoch in history)
    # Speeds belong to the part of an epoch that learns; weighting by samples gives the mean over that time.
    best = kept_epoch(history, last=keeps_last)
    return {
        "settings": progress.settings,
        "ranks": ranks,
        "epochs": len(history),
        "steps": progress.steps_done,
        "best_epoch": best.epoch,
        "validation": best.validation,
        "seconds": seconds,
        "spectra_per_s": len(history) / sum(1 / epoch.spectra_per_s for epoch in history),
        "data_wait_share": sum(epoch.data_wait_share * epoch.seconds for epoch in history) / seconds,
        "resumed_from": resumed_from,
        "stopped_early": len(history) < epochs,
        "warnings": tell_warnings(history),
    }


def save_model(
    run: RunDirectory, network: Any, problem: Problem, training: dict[str, Any], calibration: dict[str, Any]
) -> None:
    """Writes train/model.keras, then the card beside it that makes the training complete."""
    temporary = run.train / ".model.tmp.keras"
    card_path(run).unlink(missing_ok=True)
    network.save(temporary)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(run.model)
    sync_directory(run.train)
    card = {**problem.model_card(), "sha256": file_hash(run.model), "training": training, "calibration": calibration}
    write_atomically(card_path(run), json.dumps(card, indent=1).encode())


class Curves:
    """Loss curves as TensorBoard reads them."""

    def __init__(self, folder: Path) -> None:
        import tensorflow as tf

        self._tf = tf
        self._writer = tf.summary.create_file_writer(str(folder))

    def add(self, epoch: EpochFinished) -> None:
        with self._writer.as_default(step=epoch.epoch):
            self._tf.summary.scalar("loss/training", epoch.loss)
            for name, value in epoch.validation.items():
                self._tf.summary.scalar("loss/validation" if name == "loss" else f"validation/{name}", value)
            self._tf.summary.scalar("speed/spectra_per_s", epoch.spectra_per_s)
            self._tf.summary.scalar("speed/data_wait_share", epoch.data_wait_share)
            self._tf.summary.scalar("learning_rate", epoch.learning_rate)
        self._writer.flush()

    def show(self, epoch: int, picture: NDArray[np.uint8]) -> None:
        """Adds a picture, gray levels (h, w), of what is generated after an epoch."""
        with self._writer.as_default(step=epoch):
            self._tf.summary.image("generated", picture[None, :, :, None])
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()
