"""A saved generator that is asked for images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.wafers.generator_card import TRAIN_FIRST, WHERE, GeneratorCard
from xpshpc.wafers.one_thread import import_keras

BATCH = 64


class GeneratorNetwork:
    """The network of a card, which answers one batch size: every image is computed by the same kernels on one shape.

    Raises UsageError for a file that Keras cannot load, or whose answer is not an image.
    """

    def __init__(self, card: GeneratorCard) -> None:
        keras = import_keras()
        try:
            network = keras.saving.load_model(card.model, compile=False, safe_mode=True)
        except (ValueError, TypeError, OSError) as error:
            raise UsageError(f"cannot load {card.model}: {error}", where=WHERE, try_=TRAIN_FIRST) from error
        self._card = card
        self._network: Any = network

    def images(self, latent: NDArray[np.float32], label: NDArray[np.int32]) -> NDArray[np.float32]:
        """The images (n, size, size), in [-1, 1], of latent numbers (n, latent) and the card's classes (n,)."""
        return np.concatenate(
            [self._batch(latent[at : at + BATCH], label[at : at + BATCH]) for at in range(0, len(latent), BATCH)]
        )

    def _batch(self, latent: NDArray[np.float32], label: NDArray[np.int32]) -> NDArray[np.float32]:
        n = len(latent)
        asked: dict[str, NDArray[Any]] = {"latent": np.zeros((BATCH, latent.shape[1]), np.float32)}
        asked["latent"][:n] = latent
        if self._card.conditional:
            asked["label"] = np.zeros(BATCH, np.int32)
            asked["label"][:n] = label
        image = np.asarray(self._network(asked, training=False)["image"], dtype=np.float32)
        if image.shape != (BATCH, self._card.size, self._card.size, 1):
            raise UsageError(
                f"the generator's images have the shape {image.shape[1:]}, not what its card tells",
                where=WHERE,
                try_=TRAIN_FIRST,
            )
        return image[:n, :, :, 0]
