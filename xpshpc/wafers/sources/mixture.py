"""Several kinds of maps in one data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.plan.seeds import Streams
from xpshpc.wafers.purposes import Purpose
from xpshpc.wafers.settings import Part
from xpshpc.wafers.sources.maker import Maker, Rows, Tell

STORED = ("map", "label", "original")


def part_seeds(seed: int, parts: int) -> list[int]:
    """A seed for each part, so that two parts of one kind draw different maps."""
    words = Streams(seed).words(np.arange(parts), Purpose.PART, 2).astype(np.int64)
    return [int(high) << 31 | int(low) >> 1 for high, low in words]


@dataclass(frozen=True)
class MixtureMaker:
    """The parts one after another, each by its own maker; the source shuffles them."""

    parts: Sequence[Part]
    makers: Sequence[Maker]
    shuffled: bool = True
    holds_gray: bool = False

    @property
    def piece_samples(self) -> int:
        return min(maker.piece_samples for maker in self.makers)

    def check(self, samples: int) -> None:
        total = sum(part.samples for part in self.parts)
        if samples != total:
            raise UsageError(
                f"the parts of the mixture are {total} maps, and {samples} are asked for",
                where="generate.samples",
                try_=f"generate.samples = {total}",
            )
        for number, (part, maker) in enumerate(zip(self.parts, self.makers, strict=True)):
            try:
                maker.check(part.samples)
            except UsageError as error:
                where = f"wafers.mixture.{number}.samples" if error.where == "generate.samples" else error.where
                tried = error.try_.replace("generate.samples", "samples")
                raise UsageError(f'part "{part.source}": {error.what}', where=where, try_=tried) from None

    def prepare(self, tell: Tell) -> None:
        for maker in self.makers:
            maker.prepare(tell)

    def make(self, places: NDArray[np.int64]) -> Rows:
        ends = np.cumsum([part.samples for part in self.parts])
        chosen = np.searchsorted(ends, places, side="right")
        made: list[tuple[NDArray[np.int64], Rows]] = []
        for number, (part, maker) in enumerate(zip(self.parts, self.makers, strict=True)):
            rows = np.flatnonzero(chosen == number)
            if len(rows):
                made.append((rows, maker.make(places[rows] - (ends[number] - part.samples))))
        order = np.argsort(np.concatenate([rows for rows, _ in made]))
        return {name: np.concatenate([part[name] for _, part in made])[order] for name in STORED}
