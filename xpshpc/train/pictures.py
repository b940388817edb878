"""What a generator makes, drawn again and again from the same latents while it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.domain import AdversarialProblem
from xpshpc.run_directory import RunDirectory, write_atomically
from xpshpc.train.history import EpochFinished

EARLY_EPOCHS = (1, 2, 5)
"""Later ones are told by `EVERY_EPOCHS`; a beginner changes more from epoch to epoch."""

EVERY_EPOCHS = 10


def pictures_path(run: RunDirectory) -> Path:
    """Where the sheets of generated images are: epoch-000001.png, …"""
    return run.train / "pictures"


def is_drawn(epoch: int, epochs: int) -> bool:
    """Whether a sheet is drawn after this epoch of so many."""
    return epoch in (*EARLY_EPOCHS, epochs) or epoch % EVERY_EPOCHS == 0


class Gallery:
    """The sheets of one training; a sheet is gray levels (h, w)."""

    def __init__(self, problem: AdversarialProblem, network: Any, run: RunDirectory) -> None:
        self._problem = problem
        self._network = network
        self._folder = pictures_path(run)

    def add(self, epoch: EpochFinished) -> NDArray[np.uint8] | None:
        """Draws and keeps the sheet of an epoch; None where this epoch has none."""
        if not is_drawn(epoch.epoch, epoch.epochs):
            return None
        import tensorflow as tf

        picture = self._problem.pictures(self._network)
        self._folder.mkdir(parents=True, exist_ok=True)
        png = tf.io.encode_png(picture[:, :, None]).numpy()
        write_atomically(self._folder / f"epoch-{epoch.epoch:06d}.png", png)
        return picture
