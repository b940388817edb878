"""Many maps from few originals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.wafers.augmentation import Augmenter
from xpshpc.wafers.sources.maker import Rows, Tell
from xpshpc.wafers.sources.originals import ChosenOriginals


@dataclass(frozen=True)
class AugmentedMaker:
    """The originals in turn, each time changed anew; where they are kept, the first round of them is unchanged."""

    chosen: ChosenOriginals
    augmenter: Augmenter
    piece_samples: int = 1024
    shuffled: bool = True
    holds_gray: bool = False

    @property
    def _keeps(self) -> bool:
        return self.augmenter.settings.keep_originals

    def check(self, samples: int) -> None:
        count = self.chosen.check()
        if self._keeps and samples < count:
            raise UsageError(
                f"the originals, which are kept, are {count} maps already, and {samples} are asked for",
                where="generate.samples",
                try_=f"at least {count}, or wafers.augmentation.keep_originals = false",
            )

    def prepare(self, tell: Tell) -> None:
        self.chosen.prepare(tell)
        self.augmenter.prepare(tell)

    def make(self, places: NDArray[np.int64]) -> Rows:
        count = len(self.chosen.maps)
        rows = self.chosen.rows(places % count)
        changed = np.flatnonzero(places >= count) if self._keeps else np.arange(len(places))
        rows["map"][changed] = self.augmenter.augment(rows["map"][changed], places[changed])
        return rows
