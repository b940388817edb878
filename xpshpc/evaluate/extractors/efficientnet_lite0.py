"""ImageNet's EfficientNet-Lite0 as an extractor: 1280 features, its weights from an installed package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xpshpc.evaluate.extractors.batches import BatchedNetwork
from xpshpc.evaluate.extractors.extractor import Answer
from xpshpc.evaluate.extractors.resize import Resize, resize_images
from xpshpc.evaluate.images.image_set import Images
from xpshpc.pretrained.efficientnet_lite0 import FEATURES, INPUT_SIZE, build_efficientnet_lite0

NAME = "efficientnet-lite0"
DIMENSIONS = FEATURES
BATCH = 16
"""Images asked at once: more are slower, for their layers outgrow the caches, and waste more where a set is small."""


class EfficientNetLite0:
    """The extractor `efficientnet-lite0`; `sha256` is that of `checkpoint`."""

    name = NAME
    dimensions = DIMENSIONS

    def __init__(self, checkpoint: Path, sha256: str, resize: Resize) -> None:
        self.sha256 = sha256
        self.resize = resize
        self._network = BatchedNetwork(build_efficientnet_lite0(checkpoint=checkpoint), self._prepare, BATCH)

    def answer(self, images: Images) -> Answer:
        return self._network.answer(images)

    def features(self, images: Images) -> NDArray[np.float32]:
        return self.answer(images).features

    def _prepare(self, images: Images) -> NDArray[np.float32]:
        return np.repeat(resize_images(images, INPUT_SIZE, self.resize)[..., None], 3, axis=-1)
