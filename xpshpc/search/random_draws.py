"""Points drawn at random: the k-th depends on the space, the job's training seed and k alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

import numpy as np

from xpshpc.plan.identity import hash_json
from xpshpc.search.space import Space

_MOST_COUNTED = 100_000
"""Larger spaces are not laid out: what is drawn from them is seldom the same twice."""
_MOST_IN_VAIN = 10_000


def draw_points(space: Space, seed: int) -> Iterator[dict[str, Any]]:
    """Points without end, no two the same; of a space that is counted, each once."""
    rng = np.random.default_rng(seed)
    if space.size is not None and space.size <= _MOST_COUNTED:
        yield from _shuffled(space, rng)
    else:
        yield from _drawn(space, rng)


def _shuffled(space: Space, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """All points in the order in which weighted draws without replacement would find them.

    The smallest of exponential waiting times with these rates is the next one drawn (Efraimidis and Spirakis 2006,
    doi:10.1016/j.ipl.2005.11.003).
    """
    shape = tuple(axis.size or 0 for axis in space.axes)
    weights = reduce(np.multiply.outer, [axis.weights() for axis in space.axes]).ravel()
    for place in np.argsort(rng.exponential(size=weights.size) / weights, kind="stable"):
        places = np.unravel_index(int(place), shape)
        yield {axis.key: axis.at(int(at)) for axis, at in zip(space.axes, places, strict=True)}


def _drawn(space: Space, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Draws, leaving out what was drawn before; they end where nothing new is found any more."""
    seen: set[str] = set()
    in_vain = 0
    while in_vain < _MOST_IN_VAIN:
        point = {axis.key: axis.draw(rng) for axis in space.axes}
        name = hash_json(point)
        in_vain = in_vain + 1 if name in seen else 0
        if name not in seen:
            seen.add(name)
            yield point
