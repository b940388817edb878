"""Wafer maps: a small image of dies, each of which is off the wafer, passed its test, or failed it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

OFF, PASS, FAIL = 0, 1, 2
"""What a die's value means."""

CLASSES = ("Center", "Donut", "Edge-Loc", "Edge-Ring", "Loc", "Near-full", "None", "Random", "Scratch")
"""Patterns of failed dies, as the public WM-811K maps are labelled (10.1109/TSM.2014.2364237)."""

GRAY = (0, 127, 255)
"""Gray levels of the three values, where a map is looked at as an image."""

SplitName = Literal["train", "validation", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")

Map = NDArray[np.uint8]
"""Die values, (rows, columns)."""


@dataclass(frozen=True, eq=False)
class MapSet:
    """Labelled maps of any sizes. `label` (n,) is a place in `classes`, `split` (n,) one in SPLITS, `index` (n,) the
    place of each map in its file."""

    maps: Sequence[Map]
    label: NDArray[np.uint8]
    split: NDArray[np.uint8]
    index: NDArray[np.int64]
    classes: tuple[str, ...] = CLASSES

    def __len__(self) -> int:
        return len(self.maps)

    def take(self, places: NDArray[np.int64]) -> MapSet:
        """The maps at these places, in this order."""
        return MapSet(
            [self.maps[place] for place in places],
            self.label[places],
            self.split[places],
            self.index[places],
            self.classes,
        )
