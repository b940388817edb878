"""Training maps changed at random, each by draws that follow from its place in the training's order alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.domain import Place
from xpshpc.wafers.learning.task import Changes
from xpshpc.wafers.maps import OFF, PASS

_DRAWS = ("symmetry", "angle")
"""Uniform numbers of each map. All are always drawn: a change switched off leaves the other as it was."""


def change_maps(maps: NDArray[np.uint8], changes: Changes, place: Place) -> NDArray[np.uint8]:
    """Maps (n, size, size), changed as the settings say; the same ones however a global batch is shared out."""
    generator = np.random.default_rng((place.seed, place.epoch, place.step))
    drawn = generator.random((place.first + len(maps), len(_DRAWS)))[place.first :]
    if changes.symmetries:
        maps = apply_symmetries(maps, (8 * drawn[:, 0]).astype(np.int64))
    if changes.rotation_degrees:
        maps = rotate(maps, np.radians(changes.rotation_degrees) * (2 * drawn[:, 1] - 1))
    return maps


def apply_symmetries(maps: NDArray[np.uint8], which: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Each map by one of a square's eight symmetries: `which` % 4 quarter turns, and flipped from 4 on."""
    changed = np.empty_like(maps)
    for number in np.unique(which):
        chosen = which == number
        turned: NDArray[Any] = np.rot90(maps[chosen], int(number % 4), axes=(1, 2))
        changed[chosen] = turned[:, ::-1] if number >= 4 else turned
    return changed


def rotate(maps: NDArray[np.uint8], angles: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Each map turned by its angle (n,), radians: every die takes the value from the nearest place.

    The wafer stays where it is: a die of it that would come from beside it has passed.
    """
    n, rows, columns = maps.shape
    y, x = np.meshgrid(np.arange(rows) - (rows - 1) / 2, np.arange(columns) - (columns - 1) / 2, indexing="ij")
    cos, sin = (f(angles)[:, None, None].astype(np.float32) for f in (np.cos, np.sin))
    y, x = y.astype(np.float32), x.astype(np.float32)
    row = np.rint(cos * y + sin * x + (rows - 1) / 2).astype(np.int64)
    column = np.rint(cos * x - sin * y + (columns - 1) / 2).astype(np.int64)
    beside = (row < 0) | (row >= rows) | (column < 0) | (column >= columns)
    row, column = row.clip(0, rows - 1), column.clip(0, columns - 1)
    turned: NDArray[np.uint8] = maps[np.arange(n)[:, None, None], row, column]
    turned[beside | (turned == OFF)] = PASS
    turned[maps == OFF] = OFF
    return turned
