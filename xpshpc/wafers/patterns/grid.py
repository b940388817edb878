"""Round wafers of so many dies across, on which patterns are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float64]
"""The probability that a die fails, (n, dies, dies)."""


@dataclass(frozen=True)
class Grid:
    """Dies of a wafer. `x`, `y` and `radius` (dies, dies) are in units of the wafer's radius, from its centre."""

    dies: int
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    radius: NDArray[np.float64]

    @property
    def on(self) -> NDArray[np.bool_]:
        """Which dies lie on the wafer."""
        return self.radius <= 1.0

    @property
    def die(self) -> float:
        """Width of a die in units of the wafer's radius."""
        return 2.0 / self.dies


def make_grid(dies: int) -> Grid:
    """The grid of a wafer of so many dies across."""
    across = (np.arange(dies) - (dies - 1) / 2.0) / (dies / 2.0)
    y, x = np.meshgrid(across, across, indexing="ij")
    return Grid(dies, x, y, np.hypot(x, y))


def spread(draws: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Uniform draws (n,) spread from low to high, with axes for rows and columns: (n, 1, 1)."""
    return (low + (high - low) * draws)[:, None, None]


def soft_inside(distance: NDArray[np.float64], softness: NDArray[np.float64] | float) -> Field:
    """1 well inside an edge and 0 well outside; `distance` from the edge is negative inside."""
    return 1.0 / (1.0 + np.exp(np.clip(distance / softness, -60.0, 60.0)))
