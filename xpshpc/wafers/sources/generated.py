"""Maps that a trained generator makes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xpshpc.config import nearest
from xpshpc.errors import UsageError
from xpshpc.plan.seeds import Streams
from xpshpc.wafers.class_names import class_names
from xpshpc.wafers.content import content_hash
from xpshpc.wafers.generator_card import TRAIN_FIRST, WHERE, GeneratorCard
from xpshpc.wafers.maps import FAIL, OFF, PASS
from xpshpc.wafers.one_thread import import_keras
from xpshpc.wafers.purposes import Purpose
from xpshpc.wafers.settings import Generator, WaferSettings
from xpshpc.wafers.sources.generator_network import GeneratorNetwork
from xpshpc.wafers.sources.maker import NO_ORIGINAL, Rows, Tell, label_places


@dataclass(frozen=True)
class GeneratedMaker:
    """An image for each sample from random latent numbers, and the map that a threshold cuts from it."""

    settings: WaferSettings
    generator: Generator
    card: GeneratorCard
    seed: int
    piece_samples: int = 256
    shuffled: bool = False
    holds_gray: bool = True

    def check(self, samples: int) -> None:
        held = content_hash(self.card.model, where=WHERE)
        if self.card.sha256 not in (None, held):
            raise UsageError(
                f"{self.card.model} is not the file that its card tells of", where=WHERE, try_="xpshpc train RUN"
            )
        self._labels()

    def prepare(self, tell: Tell) -> None:
        import_keras(tell)
        tell("loading the generator")
        _ = self._network

    def make(self, places: NDArray[np.int64]) -> Rows:
        turn = places % len(self._wanted)
        latent = Streams(self.seed).normal(places, Purpose.LATENT, self.card.latent)
        known = np.array([self.card.classes.index(name) for name in self._wanted], dtype=np.int32)
        gray = to_gray(self._network.images(latent, known[turn]))
        return {
            "map": cut(gray, self.card.mask, self.generator.threshold),
            "label": self._labels()[turn],
            "original": np.full(len(places), NO_ORIGINAL, dtype=np.int32),
            "gray": gray,
        }

    @property
    def _wanted(self) -> tuple[str, ...]:
        return self.generator.classes or self.card.classes

    def _labels(self) -> NDArray[np.uint8]:
        return label_places(self._wanted, class_names(self.settings), where="wafers.generator.classes")

    @cached_property
    def _network(self) -> GeneratorNetwork:
        return GeneratorNetwork(self.card)


def check_generator(settings: WaferSettings, generator: Generator, card: GeneratorCard) -> None:
    """Raises UsageError if the generator cannot make what the job asks for."""
    if card.size != settings.size:
        raise UsageError(
            f"the generator makes maps of {card.size} × {card.size}, and the job asks for {settings.size}",
            where="wafers.size",
            try_=f"wafers.size = {card.size}",
        )
    for name in generator.classes:
        if name not in card.classes:
            raise UsageError(
                f"the generator has not learned {name!r}{nearest(name, card.classes)}", where="wafers.generator.classes"
            )
    if not card.conditional and len(card.classes) > 1:
        raise UsageError(
            f"the generator learned {len(card.classes)} classes without telling them apart: what it makes has no class",
            where=WHERE,
            try_=f"a generator of one class, or a conditional one; {TRAIN_FIRST}",
        )
    passes = int(to_gray(np.zeros(1, np.float32))[0])
    if card.encoding == "three" and generator.threshold <= passes:
        raise UsageError(
            f"good dies of this generator have gray level {passes}: all fail with threshold {generator.threshold}",
            where="wafers.generator.threshold",
            try_=f"from {passes + 1} to 254, such as 191",
        )


def to_gray(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Images in [-1, 1] as gray levels from 0 to 255."""
    levels = np.rint((images + np.float32(1.0)) * np.float32(127.5))
    return np.asarray(np.clip(levels, 0, 255), dtype=np.uint8)


def cut(gray: NDArray[np.uint8], mask: NDArray[np.bool_], threshold: int) -> NDArray[np.uint8]:
    """Maps (n, size, size) of gray images: on the wafer a die fails from the threshold on."""
    return np.where(mask, np.where(gray >= threshold, np.uint8(FAIL), np.uint8(PASS)), np.uint8(OFF))
