"""How unlike one another images are, by values that each image has by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def distances_within_classes(images: NDArray[np.float32], label: NDArray[Any]) -> NDArray[np.float64]:
    """Each image's mean absolute difference from the next one of its class, (n,); the last one's from the first.

    Images are (n, …). Their mean estimates that of all pairs, without looking at all of them; an image that is alone in
    its class has 0.
    """
    following = np.empty(len(images), np.int64)
    for each in np.unique(label):
        own = np.flatnonzero(label == each)
        following[own] = np.roll(own, -1)
    differences = np.abs(images - images[following]).reshape(len(images), -1)
    distances: NDArray[np.float64] = differences.mean(axis=1, dtype=np.float64)
    return distances
