"""After duplicates are dropped, no map is in two splits, and none is twice where a network learns."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.wafers.measured_maps import made_up_set, measured_maps
from xpshpc.wafers.duplicates import Duplicates, drop_duplicates
from xpshpc.wafers.maps import SPLITS, MapSet

TRAIN, VALIDATION, TEST = range(3)


def few_maps(dies: list[int], label: list[int], split: list[int]) -> MapSet:
    """Maps of which those with the same number of `dies` are the same."""
    return made_up_set([np.full((2, 2 + number), 1, dtype=np.uint8) for number in dies], label, split)


def contents(maps: MapSet, split: int) -> list[tuple[tuple[int, ...], bytes]]:
    return [
        (maps.maps[place].shape, maps.maps[place].tobytes()) for place in np.flatnonzero(maps.split == split).tolist()
    ]


def check_laws(maps: MapSet) -> None:
    places, found = drop_duplicates(maps)
    assert (np.diff(places) > 0).all()
    kept = maps.take(places)
    train, validation, test = (contents(kept, split) for split in range(len(SPLITS)))
    assert len(set(train)) == len(train)
    assert len(set(validation)) == len(validation)
    assert not set(train) & set(validation)
    assert not (set(train) | set(validation)) & set(test)
    assert test == contents(maps, TEST)
    assert found.dropped_train == len(contents(maps, TRAIN)) - len(train)
    assert found.dropped_validation == len(contents(maps, VALIDATION)) - len(validation)
    again, nothing = drop_duplicates(kept)
    assert len(again) == len(kept)
    assert nothing.dropped_train == nothing.dropped_validation == 0


maps_of_a_few_kinds = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1), st.integers(0, 2)), max_size=30)


@given(maps_of_a_few_kinds)
def test_splits_are_disjoint_and_learnt_maps_unique(kinds: list[tuple[int, int, int]]) -> None:
    check_laws(few_maps(*([kind[part] for kind in kinds] for part in range(3))))


@given(maps_of_a_few_kinds)
def test_a_map_without_a_twin_stays(kinds: list[tuple[int, int, int]]) -> None:
    maps = few_maps(*([kind[part] for kind in kinds] for part in range(3)))
    dies = [kind[0] for kind in kinds]
    alone = {place for place, number in enumerate(dies) if dies.count(number) == 1}
    assert alone <= set(drop_duplicates(maps)[0].tolist())


def test_the_first_stays_and_the_stricter_split_wins() -> None:
    maps = few_maps(
        dies=[0, 0, 1, 1, 2, 2, 3, 3, 4],
        label=[0] * 9,
        split=[TRAIN, TRAIN, TRAIN, VALIDATION, VALIDATION, TEST, TEST, TEST, TRAIN],
    )
    places, found = drop_duplicates(maps)
    assert places.tolist() == [0, 3, 5, 6, 7, 8]
    assert found == Duplicates(
        groups=4, maps=8, across_splits=2, across_classes=0, dropped_train=2, dropped_validation=1
    )


def test_maps_whose_labels_disagree_are_not_learnt_from() -> None:
    maps = few_maps([0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 1], [TRAIN, TRAIN, VALIDATION, TRAIN, TEST, TEST])
    places, found = drop_duplicates(maps)
    assert places.tolist() == [4, 5]
    assert found.across_classes == 3


def test_the_same_dies_in_another_shape_are_another_map() -> None:
    one = np.ones((2, 6), dtype=np.uint8)
    maps = made_up_set([one, one.reshape(3, 4), one.reshape(6, 2)], [0, 0, 0], [TRAIN] * 3)
    assert len(drop_duplicates(maps)[0]) == 3


def test_duplicates_of_the_measured_maps() -> None:
    """193 groups of 388 maps, 12 of them with two labels, as an independent count found them."""
    maps = measured_maps()
    found = drop_duplicates(maps)[1]
    assert (found.groups, found.maps, found.across_classes) == (193, 388, 12)
    check_laws(maps)
