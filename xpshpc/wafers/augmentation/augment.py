"""Augmented maps: changed at random, their values still those of dies, their wafer still round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xpshpc.plan.seeds import Streams
from xpshpc.wafers.augmentation.changes import draw_changes
from xpshpc.wafers.augmentation.layers import Layers
from xpshpc.wafers.maps import OFF, PASS
from xpshpc.wafers.one_thread import import_keras
from xpshpc.wafers.settings import Augmentation


@dataclass(frozen=True)
class Augmenter:
    """Changes maps as the settings allow, each by (seed, index) alone."""

    settings: Augmentation
    seed: int

    @cached_property
    def _layers(self) -> Layers:
        return Layers()

    def prepare(self, tell: Callable[[str], None]) -> None:
        """Imports what `augment` needs, telling each step before it is begun."""
        import_keras(tell)
        _ = self._layers

    def augment(self, maps: NDArray[np.uint8], indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The map of each sample, (n, size, size), made from the original in the same row of `maps`."""
        changes = draw_changes(self.settings, Streams(self.seed), indices, maps.shape[1])
        return keep_wafer(self._layers.change(maps, changes), maps)


def keep_wafer(changed: NDArray[np.uint8], originals: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Changed maps on their originals' wafers: dies of the wafer that came from outside pass, others are off it.

    A map is as round, and has its flat or notch in the same place, as the one it was made from.
    """
    on = originals != OFF
    return np.where(on, np.where(changed == OFF, np.uint8(PASS), changed), np.uint8(OFF))
