"""ImageNet's InceptionV3 as Keras has it: 2048 pooled features and 1000 classes; the user brings the weights file.

Szegedy et al., arXiv:1512.00567. Its features differ from those of the network that published Fréchet distances use,
which was trained apart: compare values of one extractor only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.evaluate.extractors.batches import FEATURES, PROBABILITIES, BatchedNetwork
from xpshpc.evaluate.extractors.extractor import Answer
from xpshpc.evaluate.extractors.inception_weights import DIMENSIONS, WEIGHTS_FILE
from xpshpc.evaluate.extractors.resize import Resize, resize_images
from xpshpc.evaluate.images.image_set import Images

NAME = "inception-v3"
INPUT_SIZE = 299
BATCH = 8
"""Images asked at once; each is work enough by itself."""


class InceptionV3:
    """The extractor `inception-v3`; `sha256` is that of `weights`. Raises UsageError for another network's weights."""

    name = NAME
    dimensions = DIMENSIONS

    def __init__(self, weights: Path, sha256: str, resize: Resize) -> None:
        self.sha256 = sha256
        self.resize = resize
        self._network = BatchedNetwork(_load(weights), self._prepare, BATCH)

    def answer(self, images: Images) -> Answer:
        return self._network.answer(images)

    def features(self, images: Images) -> NDArray[np.float32]:
        return self.answer(images).features

    def _prepare(self, images: Images) -> NDArray[np.float32]:
        sized = resize_images(images, INPUT_SIZE, self.resize) / np.float32(127.5) - np.float32(1)
        return np.repeat(sized[..., None], 3, axis=-1)


def _load(weights: Path) -> Any:
    import keras

    network = keras.applications.InceptionV3(weights=None, include_top=True, classifier_activation="softmax")
    try:
        network.load_weights(weights)
    except (ValueError, OSError, KeyError, AttributeError) as error:
        raise UsageError(
            f"not the weights of InceptionV3: {error}", where=str(weights), try_=f"Keras' {WEIGHTS_FILE}"
        ) from None
    pooled = network.get_layer("avg_pool").output
    return keras.Model(network.input, {FEATURES: pooled, PROBABILITIES: network.output})
