"""The exhaustive grid: every combination of the listed values."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from xpshpc.search.space import Space


def grid_points(space: Space) -> Iterator[dict[str, Any]]:
    """Every point of a space of listed values; the last parameter changes fastest. None where nothing is listed."""
    if space.axes:
        for values in product(*(axis.probes() for axis in space.axes)):
            yield dict(zip((axis.key for axis in space.axes), values, strict=True))
