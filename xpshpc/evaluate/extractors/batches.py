"""A network asked in batches of one fixed shape, each different image once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.evaluate.extractors.extractor import Answer
from xpshpc.evaluate.images.image_set import Images

FEATURES, PROBABILITIES = "features", "probabilities"

Prepare = Callable[[Images], NDArray[np.float32]]
"""Gray images (n, rows, columns) as the network's inputs (n, …)."""


class BatchedNetwork:
    """A `keras.Model` that answers {"features": …, "probabilities": …}.

    The last batch is filled up and cut again: every image is computed by the same kernels on the same shape. Images
    that are byte for byte the same are computed once.
    """

    def __init__(self, network: Any, prepare: Prepare, batch: int) -> None:
        import tensorflow as tf

        self._prepare, self._batch = prepare, batch
        self._answer = tf.function(lambda inputs: network(inputs, training=False), reduce_retracing=True)
        self.dimensions, self._classes = (int(network.output[name].shape[-1]) for name in (FEATURES, PROBABILITIES))

    def answer(self, images: Images) -> Answer:
        features = np.empty((len(images), self.dimensions), np.float32)
        probabilities = np.empty((len(images), self._classes), np.float32)
        different, place = unique_images(images)
        for start in range(0, len(different), self._batch):
            chosen = different[start : start + self._batch]
            inputs = self._prepare(images[chosen])
            filling = np.zeros((self._batch - len(chosen), *inputs.shape[1:]), np.float32)
            answer = self._answer(np.concatenate([inputs, filling]))
            features[chosen] = np.asarray(answer[FEATURES])[: len(chosen)]
            probabilities[chosen] = np.asarray(answer[PROBABILITIES])[: len(chosen)]
        first = different[place]
        return Answer(features[first], probabilities[first])


def unique_images(images: Images) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(`different`, `place`): the first place of each different image, and of each image its place in `different`."""
    known: dict[bytes, int] = {}
    different: list[int] = []
    place = np.empty(len(images), np.int64)
    for number, image in enumerate(images):
        key = image.tobytes()
        if key not in known:
            known[key] = len(different)
            different.append(number)
        place[number] = known[key]
    return np.asarray(different, np.int64), place
