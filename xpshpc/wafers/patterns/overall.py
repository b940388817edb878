"""Patterns of the whole wafer: None, Random, and Near-full."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xpshpc.wafers.patterns.grid import Field, Grid, spread


def none(grid: Grid, draws: NDArray[np.float64]) -> Field:
    """Nothing but the loss that every wafer has."""
    return np.zeros((len(draws), grid.dies, grid.dies))


def random(grid: Grid, draws: NDArray[np.float64]) -> Field:
    """Very many failures, anywhere."""
    return spread(draws[:, 0], 0.25, 0.5) + np.zeros((grid.dies, grid.dies))


def near_full(grid: Grid, draws: NDArray[np.float64]) -> Field:
    """Hardly a good die."""
    return spread(draws[:, 0], 0.75, 0.98) + np.zeros((grid.dies, grid.dies))
