"""What classifiers learn from: the same real maps of all other classes, and of the studied class real or made ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xpshpc.studies.census import Census, all_of
from xpshpc.wafers.maps import Map, MapSet
from xpshpc.wafers.readers.packed import write_packed
from xpshpc.wafers.settings import Originals, Study


@dataclass(frozen=True)
class Diet:
    """One choice of training maps: those of the studied class from `runs`, `made` in number, and `others`."""

    name: str
    told: str
    runs: tuple[str, ...]
    made: int
    others: int

    def __len__(self) -> int:
        return self.made + self.others


def diets_of(study: Study, census: Census, augmented: int) -> tuple[Diet, ...]:
    """The choices that a study compares; the maps of the other classes are the same in all of them."""
    most = study.classifier.per_class
    others = sum(min(most, census.of("train", name)) for name in census.others(study.defect))
    few = study.originals
    diets = [
        Diet("real", "the originals alone", ("originals",), few, others),
        Diet("augmented", "augmented maps", ("augmented",), augmented, others),
    ]
    if study.mode == "auto":
        made = study.generated
        diets += [
            Diet("generated", "originals and generated maps", ("originals", "binarised"), few + made, others),
            Diet("mixed", "augmented and generated maps", ("augmented", "binarised"), augmented + made, others),
        ]
    return tuple(diet for diet in diets if diet.name in study.classifier.diets)


def epochs_of(diet: Diet, diets: Sequence[Diet], epochs: int) -> int:
    """Epochs in which a classifier takes as many steps as the one of the smallest choice does in `epochs`: what is
    compared is what they learn from, not how long."""
    return max(1, round(epochs * min(map(len, diets)) / len(diet)))


def choose_others(originals: Originals, study: Study, census: Census, size: int, seed: int) -> tuple[Map, list[str]]:
    """Real maps (n, size, size) of the classes that are not studied, and the class of each."""
    from xpshpc.wafers.choose import choose_originals
    from xpshpc.wafers.resize import resize_maps

    maps: list[Map] = []
    names: list[str] = []
    for name in census.others(study.defect):
        number = min(study.classifier.per_class, census.of("train", name))
        chosen = choose_originals(all_of(originals, "train", name, per_class=number), seed)
        maps.append(resize_maps(chosen.maps, size))
        names += [name] * len(chosen)
    return (np.concatenate(maps) if maps else np.zeros((0, size, size), np.uint8)), names


def write_diet(path: Path, made: Map, study: Study, others: tuple[Map, list[str]], classes: tuple[str, ...]) -> None:
    """Writes the maps of one choice as a packed file, from which its classifier's run is made."""
    maps, names = others
    together = np.concatenate([made, maps])
    label = [classes.index(name) for name in [study.defect] * len(made) + names]
    none = np.zeros(len(together), np.uint8)
    chosen = MapSet(list(together), np.array(label, np.uint8), none, none.astype(np.int64), classes)
    path.parent.mkdir(parents=True, exist_ok=True)
    half_written = path.with_name(f".{path.name}")
    write_packed(half_written, chosen)
    half_written.replace(path)
