"""Maps with patterns drawn at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpshpc.plan.seeds import Streams
from xpshpc.wafers.class_names import class_names
from xpshpc.wafers.patterns import draw_classes, draw_maps
from xpshpc.wafers.resize import resize_maps
from xpshpc.wafers.settings import WaferSettings
from xpshpc.wafers.sources.maker import NO_ORIGINAL, Rows, Tell, label_places


@dataclass(frozen=True)
class SyntheticMaker:
    """A pattern, a wafer and its losses for each sample, resized as measured maps are."""

    settings: WaferSettings
    seed: int
    piece_samples: int = 512
    shuffled: bool = False
    holds_gray: bool = False

    def check(self, samples: int) -> None:
        self._labels()

    def prepare(self, tell: Tell) -> None:
        """Patterns need nothing but numbers."""

    def make(self, places: NDArray[np.int64]) -> Rows:
        patterns, streams = self.settings.patterns, Streams(self.seed)
        classes = draw_classes(patterns, streams, places)
        return {
            "map": resize_maps(draw_maps(patterns, streams, places, classes), self.settings.size),
            "label": self._labels()[classes],
            "original": np.full(len(places), NO_ORIGINAL, dtype=np.int32),
        }

    def _labels(self) -> NDArray[np.uint8]:
        return label_places(self.settings.patterns.classes, class_names(self.settings), where="wafers.patterns.classes")
