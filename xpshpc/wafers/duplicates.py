"""The very same map more than once: it must not be learnt from and tested on, nor count twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from xpshpc.wafers.maps import SPLITS, Map, MapSet

_TEST = SPLITS.index("test")


@dataclass(frozen=True)
class Duplicates:
    """What was found, and what was left out.

    `groups` of identical maps hold `maps` maps; some groups lie `across_splits`, and some have members of more than one
    class (`across_classes`). `dropped` maps of train and of validation.
    """

    groups: int
    maps: int
    across_splits: int
    across_classes: int
    dropped_train: int
    dropped_validation: int


def drop_duplicates(maps: MapSet) -> tuple[NDArray[np.int64], Duplicates]:
    """Places of the maps that stay, in their order, and what was found.

    Of identical maps the test split keeps all; validation keeps the first of those that test has not, train the first
    of those that neither has. Where their labels disagree, train and validation keep none.
    """
    group = _groups(maps.maps)
    size = np.bincount(group)
    across_classes, across_splits = _differs(group, maps.label), _differs(group, maps.split)
    taken = across_classes.copy()
    stays = np.zeros(len(maps), dtype=np.bool_)
    for split in reversed(range(len(SPLITS))):
        places = np.flatnonzero(maps.split == split)
        if split == _TEST:
            stays[places] = True
        else:
            first = places[np.sort(np.unique(group[places], return_index=True)[1])]
            stays[first[~taken[group[first]]]] = True
        taken[group[places]] = True
    gone = np.bincount(maps.split[~stays], minlength=len(SPLITS))
    found = Duplicates(
        groups=int((size > 1).sum()),
        maps=int(size[size > 1].sum()),
        across_splits=int(across_splits.sum()),
        across_classes=int(across_classes.sum()),
        dropped_train=int(gone[SPLITS.index("train")]),
        dropped_validation=int(gone[SPLITS.index("validation")]),
    )
    return np.flatnonzero(stays), found


def _groups(maps: Sequence[Map]) -> NDArray[np.int64]:
    """A number for each map, the same for identical ones: of equal shape and dies."""
    numbers: dict[tuple[tuple[int, ...], bytes], int] = {}
    keys = ((map.shape, blake2b(map.tobytes(), digest_size=16).digest()) for map in maps)
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def _differs(group: NDArray[np.int64], value: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """For each group whether its members have more than one value."""
    kinds = np.unique(np.stack([group, value.astype(np.int64)]), axis=1)[0]
    return np.bincount(kinds, minlength=group.max(initial=-1) + 1) > 1
