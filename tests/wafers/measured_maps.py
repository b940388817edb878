"""The labelled WM-811K maps, for tests that need measured ones; and maps made up by seed, for those that do not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from xpshpc.wafers.maps import Map, MapSet
from xpshpc.wafers.readers.read import read_maps

FILE = Path(os.environ.get("XPSHPC_WAFER_MAPS", Path(__file__).parents[3] / "shared/data/wafers/wm811k_labelled.npz"))


def measured_maps() -> MapSet:
    """All labelled maps; the test is skipped where there are none."""
    if not FILE.is_file():
        pytest.skip(f"no wafer maps at {FILE}: set XPSHPC_WAFER_MAPS to the packed file")
    return read_maps(FILE)


def made_up_map(seed: int, rows: int = 9, columns: int = 12) -> Map:
    """A round wafer on which a third of the dies fail at random."""
    random = np.random.default_rng(seed)
    row, column = np.ogrid[:rows, :columns]
    radius = np.hypot((row + 0.5) / rows - 0.5, (column + 0.5) / columns - 0.5)
    dies = 1 + (random.random((rows, columns)) < 1 / 3).astype(np.uint8)
    return np.asarray(np.where(radius <= 0.5, dies, 0), dtype=np.uint8)


def made_up_set(
    maps: list[Map], label: list[int], split: list[int], classes: tuple[str, ...] = ("Ring", "Line", "Dot")
) -> MapSet:
    """A set of these maps."""
    return MapSet(
        maps,
        np.array(label, dtype=np.uint8),
        np.array(split, dtype=np.uint8),
        np.arange(len(maps), dtype=np.int64),
        classes,
    )
