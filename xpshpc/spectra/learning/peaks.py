"""The strongest peaks of spectra: where they stand, and how far they rise above their surroundings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_SURROUNDINGS = 64
"""A peak is compared with the lowest channel within this part of the axis, on either side of it."""


def find_peaks(spectra: NDArray[Any], number: int) -> NDArray[np.float32]:
    """The `number` strongest peaks of spectra (n, channels) as (n, number, 2), the strongest first.

    A peak is a channel above its neighbours after smoothing over five channels by binomial weights. Its strength is its
    height above the higher one of the lowest channels to the left and to the right, both at most 1/64 of the axis away:
    a line's height on whatever background. Of equal peaks the one at the lower channel comes first. Each is told as its
    position, from 0 at the first channel to 1 at the last, and its strength relative to the strongest's; where there
    are fewer peaks zeros follow. A spectrum with a channel that is not finite gives NaN.
    """
    rows = np.array(spectra, np.float32)
    channels = rows.shape[1]
    unknown = ~np.isfinite(rows).all(axis=1)
    rows[unknown] = 0
    smoothed = _smooth(rows)
    strength = _prominence(smoothed, max(channels // _SURROUNDINGS, 4))
    top = np.zeros(rows.shape, np.bool_)
    top[:, 1:-1] = (smoothed[:, 1:-1] > smoothed[:, :-2]) & (smoothed[:, 1:-1] >= smoothed[:, 2:])
    strength[~top] = 0
    # The bits of numbers that are not negative are ordered as the numbers are: strength and place make one key.
    places = np.arange(channels - 1, -1, -1, dtype=np.uint64)
    keys = strength.view(np.uint32).astype(np.uint64) << np.uint64(32) | places
    keys = np.sort(np.partition(keys, channels - number, axis=1)[:, channels - number :], axis=1)[:, ::-1]
    found = (keys >> np.uint64(32)).astype(np.uint32).view(np.float32)
    position = (channels - 1 - (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)) / (channels - 1)
    strongest = np.where(found[:, :1] > 0, found[:, :1], np.float32(1))
    peaks = np.stack([np.where(found > 0, position, 0), found / strongest], axis=2).astype(np.float32)
    peaks[unknown] = np.nan
    return peaks


def _smooth(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of five channels with weights 1, 4, 6, 4, 1, the axis' ends repeated."""
    smoothed = rows
    for _ in range(2):
        padded = np.pad(smoothed, ((0, 0), (1, 1)), mode="edge")
        smoothed = np.float32(0.25) * (padded[:, :-2] + padded[:, 2:]) + np.float32(0.5) * padded[:, 1:-1]
    return smoothed


def _prominence(rows: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """Height of each channel above the higher of the minima of itself and up to `reach` channels on either side."""
    samples, channels = rows.shape
    wide = np.full((samples, channels + 2 * reach), np.inf, np.float32)
    wide[:, reach : reach + channels] = rows
    lowest = _lowest_of_next(wide, reach + 1)
    return rows - np.maximum(lowest[:, :channels], lowest[:, reach : reach + channels])


def _lowest_of_next(rows: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """At each channel the least of the `width` channels that begin there, found by doubling."""
    lowest, covered = rows, 1
    while covered < width:
        step = min(covered, width - covered)
        lowest = np.minimum(lowest[:, :-step], lowest[:, step:])
        covered += step
    return lowest
