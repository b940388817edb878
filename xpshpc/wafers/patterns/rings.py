"""Patterns around the wafer's centre: Donut, and Edge-Ring."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xpshpc.wafers.patterns.grid import Field, Grid, soft_inside, spread


def donut(grid: Grid, draws: NDArray[np.float64]) -> Field:
    """A ring around a hole of good dies, a little off the centre, well inside the wafer."""
    x, y = spread(draws[:, 0], -0.12, 0.12), spread(draws[:, 1], -0.12, 0.12)
    hole = spread(draws[:, 2], 0.15, 0.3)
    outer = hole + spread(draws[:, 3], 0.2, 0.35)
    distance = np.hypot(grid.x - x, grid.y - y)
    ring = soft_inside(distance - outer, 0.03) * soft_inside(hole - distance, 0.03)
    return spread(draws[:, 4], 0.55, 0.95) * ring


def edge_ring(grid: Grid, draws: NDArray[np.float64]) -> Field:
    """The outermost dies, all around but for a gap of up to a sixth."""
    width = np.maximum(spread(draws[:, 0], 0.06, 0.16), 1.3 * grid.die)
    gap_at, gap = spread(draws[:, 1], -np.pi, np.pi), spread(draws[:, 2], 0.0, np.pi / 6.0)
    from_gap = np.abs(np.angle(np.exp(1j * (np.arctan2(grid.y, grid.x) - gap_at))))
    ring = (grid.radius > 1.0 - width) & (from_gap >= gap)
    return np.where(ring, spread(draws[:, 3], 0.6, 0.95), 0.0)
