"""Changes carried out by Keras' preprocessing layers, with the parameters given instead of drawn by the layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.wafers.augmentation.changes import Changes
from xpshpc.wafers.maps import OFF
from xpshpc.wafers.one_thread import import_keras


class Layers:
    """Two flips and one resampling to the nearest die.

    A layer that draws its own parameters draws them for a batch; what a sample became would depend on its neighbours.
    Shear, rotation, zoom and shift are one matrix, given to the rotation layer: four layers in a row would pick the
    nearest die four times, which tears thin scratches, and Keras' shear moves the wafer, for it shears about a corner.
    """

    def __init__(self) -> None:
        keras = import_keras()
        self._horizontal = keras.layers.RandomFlip("horizontal", dtype="float32")
        self._vertical = keras.layers.RandomFlip("vertical", dtype="float32")
        self._resample = keras.layers.RandomRotation(
            1.0, fill_mode="constant", interpolation="nearest", fill_value=float(OFF), dtype="float32"
        )

    def change(self, maps: NDArray[np.uint8], changes: Changes) -> NDArray[np.uint8]:
        """The changed maps, (n, size, size); what comes from outside a map is off the wafer."""
        if not len(maps):
            return maps
        images: Any = maps[..., None].astype(np.float32)
        images = self._horizontal.transform_images(images, {"flips": changes.horizontal[:, None, None, None]})
        images = self._vertical.transform_images(images, {"flips": changes.vertical[:, None, None, None]})
        images = self._resample.transform_images(images, {"rotation_matrix": _flat(changes.matrix)})
        return np.asarray(images)[..., 0].astype(np.uint8)


def _flat(matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Matrices as Keras takes them: row by row, with the two last numbers of a projection, which are 0."""
    rows = matrix.reshape(len(matrix), 6)
    return np.concatenate([rows, np.zeros((len(matrix), 2))], axis=1).astype(np.float32)
