"""The choice of originals: by class, split and number; the same one for the same seed."""

from __future__ import annotations

import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xpshpc.config import nearest
from xpshpc.errors import UsageError
from xpshpc.wafers.duplicates import drop_duplicates
from xpshpc.wafers.maps import SPLITS, MapSet
from xpshpc.wafers.readers.read import Stamp, read_maps, stamp
from xpshpc.wafers.settings import Originals


def choose_originals(settings: Originals, seed: int) -> MapSet:
    """The maps that the settings choose, in the file's order; `index` is each one's place in the file.

    Labels are places in the classes chosen, in the settings' order, or in all classes of the file. What is drawn of a
    class depends on nothing but the seed, the class and the maps there are, and a smaller draw is part of a larger one.
    Raises UsageError for an unknown or empty class and for more maps than there are.
    """
    return _choose(settings, seed, stamp(Path(settings.file)))


@lru_cache(maxsize=4)
def _choose(settings: Originals, seed: int, read_at: Stamp) -> MapSet:
    maps = read_maps(Path(settings.file))
    classes = settings.classes or maps.classes
    _check_classes(classes, maps.classes, settings.file)
    candidates = _whole_split_only(settings.file, read_at) if settings.whole_split_only else np.arange(len(maps))
    if settings.split != "all":
        candidates = candidates[maps.split[candidates] == SPLITS.index(settings.split)]
    if not len(candidates):
        raise UsageError(f"no maps in the split {settings.split!r}", where=settings.file)
    label = np.zeros(len(maps), dtype=np.uint8)
    chosen: list[NDArray[np.int64]] = []
    for place, name in enumerate(classes):
        members = candidates[maps.label[candidates] == maps.classes.index(name)]
        if not len(members) and not settings.classes and settings.per_class is None:
            continue
        chosen.append(_draw(members, name, settings, seed))
        label[chosen[-1]] = place
    places = np.sort(np.concatenate(chosen))
    taken = maps.take(places)
    return MapSet(taken.maps, label[places], taken.split, taken.index, classes)


@lru_cache(maxsize=2)
def _whole_split_only(file: str, _read_at: Stamp) -> NDArray[np.int64]:
    return drop_duplicates(read_maps(Path(file)))[0]


def _check_classes(wanted: tuple[str, ...], known: tuple[str, ...], file: str) -> None:
    for name in wanted:
        if name not in known:
            raise UsageError(f"no class {name!r} in {file}{nearest(name, known)}", where="wafers.originals.classes")


def _draw(members: NDArray[np.int64], name: str, settings: Originals, seed: int) -> NDArray[np.int64]:
    there = f"in the split {settings.split!r}" if settings.split != "all" else "in any split"
    if not len(members):
        raise UsageError(f"an empty class: no map of {name!r} {there}", where=settings.file)
    if settings.per_class is None:
        return members
    if settings.per_class > len(members):
        raise UsageError(
            f"{settings.per_class} maps of {name!r} are asked for, but there are {len(members)} {there}",
            where="wafers.originals.per_class",
            try_=f"per_class = {len(members)} or less",
        )
    random = np.random.Generator(np.random.Philox(key=np.array([seed, zlib.crc32(name.encode())], dtype=np.uint64)))
    return members[random.permutation(len(members))[: settings.per_class]]
