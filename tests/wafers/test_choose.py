"""The choice of originals follows from the seed, and a smaller one is part of a larger one."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests.wafers.measured_maps import made_up_map, made_up_set
from xpshpc.errors import UsageError
from xpshpc.wafers.choose import choose_originals
from xpshpc.wafers.readers.packed import write_packed
from xpshpc.wafers.settings import Originals

TRAIN, TEST = 0, 2
LABELS = [0] * 20 + [1] * 30 + [0] * 5
SPLITS_OF = [TRAIN] * 50 + [TEST] * 5


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 rings and 30 lines to learn from, 5 rings to test on; no dots. Ring 3 is the first of the tested ones."""
    path = tmp_path_factory.mktemp("originals") / "maps.npz"
    maps = [made_up_map(seed, 9, 10 + seed % 3) for seed in range(55)]
    maps[3] = maps[50]
    write_packed(path, made_up_set(maps, LABELS, SPLITS_OF))
    return path


def choose(file: Path, seed: int = 0, **settings: Any) -> list[int]:
    return [int(place) for place in choose_originals(Originals(file=str(file), **settings), seed).index]


def test_all_maps_of_a_split_but_those_that_another_one_has(file: Path) -> None:
    assert choose(file) == [place for place in range(50) if place != 3]
    assert choose(file, whole_split_only=False) == list(range(50))
    assert choose(file, split="test") == [50, 51, 52, 53, 54]
    assert choose(file, split="all") == [place for place in range(55) if place != 3]


def test_the_same_seed_chooses_the_same_maps_and_another_one_others(file: Path) -> None:
    assert choose(file, seed=5, per_class=7, classes=("Ring",)) == choose(file, seed=5, per_class=7, classes=("Ring",))
    draws = {tuple(choose(file, seed=seed, per_class=7, classes=("Ring",))) for seed in range(20)}
    assert len(draws) > 15


@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1])
def test_a_smaller_draw_is_part_of_a_larger_one(file: Path, seed: int) -> None:
    draws = [set(choose(file, seed=seed, per_class=number, classes=("Line", "Ring"))) for number in range(1, 20)]
    for number, (smaller, larger) in enumerate(pairwise(draws), start=1):
        assert len(smaller) == 2 * number
        assert smaller < larger


def test_a_class_is_drawn_alike_whatever_else_is_chosen(file: Path) -> None:
    alone = choose(file, per_class=6, classes=("Line",))
    assert [place for place in choose(file, per_class=6, classes=("Ring", "Line")) if LABELS[place] == 1] == alone


def test_every_map_is_drawn_about_equally_often(file: Path) -> None:
    drawn = np.bincount([place for seed in range(200) for place in choose(file, seed, per_class=15, classes=("Line",))])
    lines = drawn[20:50]
    assert abs(lines - 100).max() < 40


def test_labels_are_places_in_the_chosen_classes(file: Path) -> None:
    chosen = choose_originals(Originals(file=str(file), classes=("Line", "Ring"), per_class=2), 0)
    assert chosen.classes == ("Line", "Ring")
    assert [chosen.classes[label] for label in chosen.label] == ["Ring", "Ring", "Line", "Line"]
    for map, place in zip(chosen.maps, chosen.index, strict=True):
        np.testing.assert_array_equal(map, made_up_map(place, 9, 10 + place % 3))
    every = choose_originals(Originals(file=str(file)), 0)
    assert every.classes == ("Ring", "Line", "Dot")
    assert set(every.label.tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"classes": ("Rng",)}, "did you mean 'Ring'"),
        ({"classes": ("Dot",)}, "an empty class: no map of 'Dot' in the split 'train'"),
        ({"classes": ("Line",), "split": "test"}, "an empty class: no map of 'Line' in the split 'test'"),
        ({"per_class": 1}, "an empty class: no map of 'Dot'"),
        ({"split": "validation"}, "no maps in the split 'validation'"),
        ({"classes": ("Ring",), "per_class": 20}, "20 maps of 'Ring' are asked for, but there are 19"),
    ],
)
def test_what_is_not_there_is_told(file: Path, settings: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as raised:
        choose(file, **settings)
    assert told in raised.value.what


def test_a_class_cannot_be_asked_for_twice(file: Path) -> None:
    with pytest.raises(ValidationError, match="listed twice"):
        Originals(file=str(file), classes=("Ring", "Ring"))
