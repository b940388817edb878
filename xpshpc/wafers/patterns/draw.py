"""Maps with the nine patterns, drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from xpshpc.plan.seeds import Streams
from xpshpc.wafers.maps import FAIL, OFF, PASS, Map
from xpshpc.wafers.patterns.clusters import center, edge_loc, loc
from xpshpc.wafers.patterns.grid import Field, Grid, make_grid
from xpshpc.wafers.patterns.overall import near_full, none, random
from xpshpc.wafers.patterns.rings import donut, edge_ring
from xpshpc.wafers.patterns.scratches import scratch
from xpshpc.wafers.purposes import Purpose
from xpshpc.wafers.settings import Patterns

SHAPE_DRAWS = 7
"""Uniform draws that decide place, size and density of a pattern."""

DIES_AT_ONCE = 2**18
"""Dies for which probabilities are held in memory together."""

PATTERNS: Mapping[str, Callable[[Grid, NDArray[np.float64]], Field]] = {
    "Center": center,
    "Donut": donut,
    "Edge-Loc": edge_loc,
    "Edge-Ring": edge_ring,
    "Loc": loc,
    "Near-full": near_full,
    "None": none,
    "Random": random,
    "Scratch": scratch,
}


def draw_classes(settings: Patterns, streams: Streams, indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """The class of each sample, as its place in `settings.classes`."""
    shares = np.asarray(settings.shares or [1.0] * len(settings.classes), dtype=np.float64)
    bounds = np.cumsum(shares) / shares.sum()
    drawn = streams.uniform(indices, Purpose.CLASS, 1)[:, 0]
    # The last bound may fall short of 1 by rounding, and a class with no share is never drawn.
    return np.minimum(np.searchsorted(bounds, drawn, side="right"), int(np.flatnonzero(shares)[-1])).astype(np.int64)


def draw_maps(
    settings: Patterns, streams: Streams, indices: NDArray[np.int64], classes: NDArray[np.int64]
) -> list[Map]:
    """A map for each sample, as many dies across as was drawn for it; `classes` are places in `settings.classes`."""
    fewest, most = settings.dies
    drawn = streams.uniform(indices, Purpose.DIES, 1)[:, 0]
    dies = fewest + np.floor(drawn * (most - fewest + 1)).astype(np.int64)
    maps: list[Map] = [np.empty((0, 0), np.uint8)] * len(indices)
    for across in np.unique(dies).tolist():
        alike = np.flatnonzero(dies == across)
        grid, at_once = make_grid(across), max(1, DIES_AT_ONCE // across**2)
        for first in range(0, len(alike), at_once):
            rows = alike[first : first + at_once]
            for row, drawn_map in zip(rows, _draw(settings, streams, indices[rows], classes[rows], grid), strict=True):
                maps[row] = drawn_map
    return maps


def _draw(
    settings: Patterns, streams: Streams, indices: NDArray[np.int64], classes: NDArray[np.int64], grid: Grid
) -> NDArray[np.uint8]:
    """Maps (n, dies, dies) on one grid: a die is lost by the wafer's yield, or by the pattern, or by both."""
    shape = streams.uniform(indices, Purpose.SHAPE, SHAPE_DRAWS)
    low, high = settings.yield_loss
    loss = low + (high - low) * streams.uniform(indices, Purpose.YIELD_LOSS, 1)[:, 0]
    survives = np.broadcast_to(1.0 - loss[:, None, None], (len(indices), grid.dies, grid.dies)).copy()
    for place in np.unique(classes).tolist():
        rows = np.flatnonzero(classes == place)
        survives[rows] *= 1.0 - PATTERNS[settings.classes[place]](grid, shape[rows])
    drawn = streams.uniform(indices, Purpose.FAILURES, grid.dies**2).reshape(survives.shape)
    maps = np.where(drawn < survives, PASS, FAIL).astype(np.uint8)
    maps[:, ~grid.on] = OFF
    return maps
