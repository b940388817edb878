"""What a generator makes, drawn again and again from the same latents while it learns."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True)
class Sheet:
    """What a generator made after so many epochs: a PNG file's bytes."""

    epoch: int
    png: bytes


def read_sheets(run: RunDirectory, *, most: int) -> list[Sheet]:
    """The first sheet, the last one and some between, `most` of them at most, from 2 on; empty where none was drawn."""
    files = sorted(pictures_path(run).glob("epoch-*.png"))
    last = len(files) - 1
    places = sorted({round(place * last / (most - 1)) for place in range(most)}) if files else []
    return [Sheet(int(files[place].stem.removeprefix("epoch-")), files[place].read_bytes()) for place in places]


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
