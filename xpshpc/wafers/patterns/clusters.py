"""Patterns in one place of the wafer: Center, Loc, and Edge-Loc."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xpshpc.wafers.patterns.grid import Field, Grid, soft_inside, spread


def center(grid: Grid, draws: NDArray[np.float64]) -> Field:
    """A round cluster over the wafer's centre."""
    x, y = spread(draws[:, 0], -0.12, 0.12), spread(draws[:, 1], -0.12, 0.12)
    size = spread(draws[:, 2], 0.2, 0.4)
    return spread(draws[:, 3], 0.6, 0.95) * soft_inside(np.hypot(grid.x - x, grid.y - y) - size, 0.03)


def loc(grid: Grid, draws: NDArray[np.float64]) -> Field:
    """An elongated cluster between the centre and the edge."""
    away, at = spread(draws[:, 0], 0.42, 0.62), spread(draws[:, 1], -np.pi, np.pi)
    turn = spread(draws[:, 2], 0.0, np.pi)
    across = spread(draws[:, 3], 0.12, 0.2)
    along = across * spread(draws[:, 4], 1.0, 1.7)
    dx, dy = grid.x - away * np.cos(at), grid.y - away * np.sin(at)
    u, v = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
    outside = np.hypot(u / along, v / across) - 1.0
    return spread(draws[:, 5], 0.6, 0.95) * soft_inside(outside * across, 0.02)


def edge_loc(grid: Grid, draws: NDArray[np.float64]) -> Field:
    """A cluster along a part of the edge, deepest in its middle."""
    at, half = spread(draws[:, 0], -np.pi, np.pi), spread(draws[:, 1], np.pi / 10.0, np.pi / 4.0)
    deepest = np.maximum(spread(draws[:, 2], 0.15, 0.35), 2.0 * grid.die)
    along = np.abs(np.angle(np.exp(1j * (np.arctan2(grid.y, grid.x) - at)))) / half
    depth = deepest * np.sqrt(np.clip(1.0 - along**2, 0.0, 1.0))
    return np.where(grid.radius > 1.0 - depth, spread(draws[:, 3], 0.6, 0.95), 0.0)
