"""The pattern Scratch: a thin, slightly curved line of failed dies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xpshpc.wafers.patterns.grid import Field, Grid, spread


def scratch(grid: Grid, draws: NDArray[np.float64]) -> Field:
    """One or two dies wide, up to the wafer's radius long, bent like a piece of a parabola."""
    away, at = spread(np.sqrt(draws[:, 0]), 0.0, 0.5), spread(draws[:, 1], -np.pi, np.pi)
    turn = spread(draws[:, 2], 0.0, np.pi)
    half_length = spread(draws[:, 3], 0.3, 0.6)
    bend = spread(draws[:, 4], -0.8, 0.8)
    half_width = spread(draws[:, 5], 0.55, 0.95) * grid.die
    dx, dy = grid.x - away * np.cos(at), grid.y - away * np.sin(at)
    u, v = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
    from_line = np.abs(v - 0.5 * bend * u**2) / np.hypot(1.0, bend * u)
    return spread(draws[:, 6], 0.9, 1.0) * ((np.abs(u) <= half_length) & (from_line <= half_width))
