"""What is done to each map: flips, and one matrix of shear, rotation, zoom and shift about the wafer's centre."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpshpc.plan.seeds import Streams
from xpshpc.wafers.purposes import Purpose
from xpshpc.wafers.settings import Augmentation


@dataclass(frozen=True, eq=False)
class Changes:
    """One change for each of n maps: `horizontal` and `vertical` (n,) say which are flipped; `matrix` (n, 2, 3) leads
    from a place (column, row, 1) of the changed map, in dies, to the place of the flipped one that is seen there."""

    horizontal: NDArray[np.bool_]
    vertical: NDArray[np.bool_]
    matrix: NDArray[np.float64]


def draw_changes(settings: Augmentation, streams: Streams, indices: NDArray[np.int64], size: int) -> Changes:
    """The changes of these samples, on maps of `size` dies across; each follows from its seed and index alone.

    A draw has its place whether its option is on or not, so that options do not disturb one another.
    """
    drawn = streams.uniform(indices, Purpose.AUGMENTATION, 9)
    either_way = 2.0 * drawn - 1.0
    angle = np.deg2rad(settings.rotation_degrees) * either_way[:, 2]
    shear_x, shear_y = settings.shear * either_way[:, 3], settings.shear * either_way[:, 4]
    zoom_x, zoom_y = 1.0 + settings.zoom * either_way[:, 5], 1.0 + settings.zoom * either_way[:, 6]
    shift = settings.shift * size * either_way[:, 7:9]
    cos, sin, one, zero = np.cos(angle), np.sin(angle), np.ones(len(indices)), np.zeros(len(indices))
    rotation = _matrices(cos, -sin, sin, cos)
    shear = _matrices(one, shear_x, shear_y, one)
    zoom = _matrices(1.0 / zoom_x, zero, zero, 1.0 / zoom_y)
    linear = zoom @ shear @ rotation
    middle = (size - 1) / 2.0
    offset = middle - np.einsum("nij,nj->ni", linear, middle + shift)
    return Changes(
        settings.flip_horizontal & (drawn[:, 0] < 0.5),
        settings.flip_vertical & (drawn[:, 1] < 0.5),
        np.concatenate([linear, offset[:, :, None]], axis=2),
    )


def _matrices(
    a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64], d: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The matrices [[a, b], [c, d]], (n, 2, 2)."""
    return np.stack([np.stack([a, b], axis=1), np.stack([c, d], axis=1)], axis=1)
