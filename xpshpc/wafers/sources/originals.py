"""Measured maps as they are, brought to one size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.wafers.choose import choose_originals
from xpshpc.wafers.class_names import class_names
from xpshpc.wafers.maps import MapSet
from xpshpc.wafers.resize import resize_maps
from xpshpc.wafers.settings import Originals, WaferSettings
from xpshpc.wafers.sources.maker import Rows, Tell, label_places


@dataclass(frozen=True)
class ChosenOriginals:
    """The originals that a job's seed chooses; the file is read when they are first needed."""

    settings: WaferSettings
    originals: Originals
    seed: int

    @cached_property
    def maps(self) -> MapSet:
        return choose_originals(self.originals, self.seed)

    @cached_property
    def _places_of_classes(self) -> NDArray[np.uint8]:
        """The place in the data set's classes of each class of the file that was chosen."""
        chosen = np.unique(self.maps.label).tolist()
        places = np.zeros(len(self.maps.classes), dtype=np.uint8)
        names = [self.maps.classes[place] for place in chosen]
        places[chosen] = label_places(names, class_names(self.settings), where="wafers.originals.classes")
        return places

    def check(self) -> int:
        """How many there are. Raises UsageError where they cannot be read, or none is left."""
        if not len(self.maps):
            raise UsageError("no original is chosen", where="wafers.originals", try_="other classes, or another split")
        _ = self._places_of_classes
        return len(self.maps)

    def prepare(self, tell: Tell) -> None:
        tell("reading the originals")
        self.check()

    def rows(self, places: NDArray[np.int64]) -> Rows:
        """The originals at these places; one that is wanted often is resized once."""
        each, where = np.unique(places, return_inverse=True)
        resized = resize_maps([self.maps.maps[place] for place in each.tolist()], self.settings.size)
        return {
            "map": resized[where],
            "label": self._places_of_classes[self.maps.label[places]],
            "original": self.maps.index[places].astype(np.int32),
        }


def find_originals(settings: WaferSettings, seed: int, source: str) -> ChosenOriginals:
    """The originals of a source that needs them. Raises UsageError where the job names none."""
    if settings.originals is None:
        raise UsageError(
            f'source = "{source}" needs measured maps, and the job names none',
            where="wafers.originals",
            try_='[wafers.originals] with file = "maps.npz"',
        )
    return ChosenOriginals(settings, settings.originals, seed)


@dataclass(frozen=True)
class OriginalMaker:
    """Each original once."""

    chosen: ChosenOriginals
    piece_samples: int = 1024
    shuffled: bool = True
    holds_gray: bool = False

    def check(self, samples: int) -> None:
        count = self.chosen.check()
        if samples != count:
            raise UsageError(
                f"the originals are {count} maps, and {samples} are asked for",
                where="generate.samples",
                try_=f"generate.samples = {count}",
            )

    def prepare(self, tell: Tell) -> None:
        self.chosen.prepare(tell)

    def make(self, places: NDArray[np.int64]) -> Rows:
        return self.chosen.rows(places)
