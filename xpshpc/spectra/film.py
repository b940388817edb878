"""A film between the sample and the analyser: how its thickness tells on electrons of different energies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def loss_free_share(paths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of a film's own electrons that leave without a loss, (1 − e^{-x})/x for a film of x mean free paths."""
    share: NDArray[np.float64] = -np.expm1(-paths) / paths
    return share


def share_channels(
    thickness: NDArray[np.float64], inverse_path: NDArray[np.float64], references: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares of every channel in the reference paths, for what lies below a film and for the film, (n, 3, length).

    They solve Σ s_k f(x_k) = f(x) for f = 1 (all electrons), C_0(x) and C_1(x): the partial intensities without and
    with one loss of what crosses x mean free paths (e^{-x}, x e^{-x}) or starts along them ((1 − e^{-x})/x, (1 − (1 +
    x) e^{-x})/x).
    """
    paths, nodes = thickness * inverse_path, thickness * references
    crossing, crossing_nodes = np.exp(-paths), np.exp(-nodes)

    def solve(at_nodes: list[NDArray[np.float64]], wanted: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        shares: NDArray[np.float64] = np.linalg.inv(np.stack(at_nodes, axis=1)) @ np.stack(wanted, axis=1)
        return shares

    def starting(x: NDArray[np.float64], cross: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        none = loss_free_share(x)
        return [np.ones_like(x), none, none - cross]

    below = solve(
        [np.ones_like(nodes), crossing_nodes, nodes * crossing_nodes], [np.ones_like(paths), crossing, paths * crossing]
    )
    return below, solve(starting(nodes, crossing_nodes), starting(paths, crossing))
