"""The source that the engine sees: arrays and attributes of a data set of maps, and its samples in shuffled order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.source import ArraySpec
from xpshpc.wafers.class_names import class_names
from xpshpc.wafers.identity import decisive
from xpshpc.wafers.maps import GRAY
from xpshpc.wafers.order import Order
from xpshpc.wafers.settings import WaferSettings
from xpshpc.wafers.sources.maker import Maker

ACROSS = ("row", "column")


@dataclass(frozen=True)
class WaferSource:
    """Maps of one kind. `samples` is how many the job asks for, None where that is not known yet."""

    settings: WaferSettings
    seed: int
    maker: Maker
    samples: int | None = None

    @property
    def piece_samples(self) -> int:
        return self.maker.piece_samples

    def counted(self, samples: int) -> WaferSource:
        return replace(self, samples=samples)

    def check(self) -> None:
        """Reads what the maps are made from, without making any. Raises UsageError for what is missing or unfit."""
        self.maker.check(self._count())

    def attend(self, beat: Callable[[str], None]) -> None:
        """Prepares the maker, which may read a large file or import TensorFlow; each step is a sign of life."""
        self.maker.prepare(beat)

    def arrays(self) -> tuple[ArraySpec, ...]:
        square = (self.settings.size, self.settings.size)
        gray = ArraySpec("gray", square, "uint8", "1", "the generator's image, before it is cut into dies", ACROSS)
        return (
            ArraySpec("map", square, "uint8", "1", "0 off the wafer, 1 pass, 2 fail", ACROSS, {"gray": list(GRAY)}),
            ArraySpec("label", (), "uint8", "1", "place of the pattern in `classes`"),
            ArraySpec(
                "original", (), "int32", "1", "place in the originals' file of the map it was made from; -1: none"
            ),
            *((gray,) if self.maker.holds_gray else ()),
        )

    def attributes(self) -> dict[str, Any]:
        return {
            "classes": list(class_names(self.settings)),
            "size": self.settings.size,
            "settings": decisive(self.settings),
        }

    def make(self, indices: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        indices = np.asarray(indices, dtype=np.int64)
        places = Order(self._count(), self.seed).places(indices) if self.maker.shuffled else indices
        most = self.maker.piece_samples
        pieces = [self.maker.make(places[start : start + most]) for start in range(0, len(places), most)]
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}

    def _count(self) -> int:
        if self.samples is None:
            raise ValueError("the number of samples decides their order: counted() comes first")
        return self.samples
