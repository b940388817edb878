"""Packed maps come back as they were written, and a file that contradicts itself is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wafers.measured_maps import FILE, made_up_map, made_up_set, measured_maps
from xpshpc.errors import UsageError
from xpshpc.wafers.maps import CLASSES
from xpshpc.wafers.readers.packed import read_packed, write_packed
from xpshpc.wafers.readers.read import read_maps


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2), st.integers(0, 2)), max_size=12))
@settings(max_examples=30)
def test_a_round_trip_changes_nothing(tmp_path_factory: pytest.TempPathFactory, kinds: list[tuple[int, ...]]) -> None:
    path = tmp_path_factory.mktemp("packed") / "maps.npz"
    written = made_up_set(
        [made_up_map(place, rows, columns) for place, (rows, columns, _, _) in enumerate(kinds)],
        [label for _, _, label, _ in kinds],
        [split for _, _, _, split in kinds],
    )
    write_packed(path, written)
    read = read_packed(path)
    assert [map.tolist() for map in read.maps] == [map.tolist() for map in written.maps]
    assert read.label.tolist() == written.label.tolist()
    assert read.split.tolist() == written.split.tolist()
    assert read.index.tolist() == list(range(len(kinds)))
    assert read.classes == written.classes


def test_the_first_die_is_in_the_lowest_bits(tmp_path: Path) -> None:
    arrays = whole()
    arrays["packed"] = np.array([0b01_00_10_01, 0b10], dtype=np.uint8)
    assert read_packed(written(tmp_path, arrays)).maps[0].tolist() == [[1, 2, 0, 1, 2]]


def test_maps_cannot_be_changed_by_whoever_reads_them(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        read_packed(written(tmp_path, whole())).maps[0][0, 0] = 1


def test_without_splits_all_is_train(tmp_path: Path) -> None:
    arrays = whole()
    del arrays["split"]
    assert read_packed(written(tmp_path, arrays)).split.tolist() == [0]


@pytest.mark.parametrize(("code", "split"), [(0, 0), (1, 0), (29, 0), (99, 0), (100, 1), (200, 2)])
def test_codes_of_the_splits(tmp_path: Path, code: int, split: int) -> None:
    arrays = {**whole(), "split": np.array([code], dtype=np.uint8)}
    assert read_packed(written(tmp_path, arrays)).split.tolist() == [split]


@pytest.mark.parametrize(
    ("name", "array", "told"),
    [
        ("packed", np.zeros(1, dtype=np.uint8), "5 dies take uint8 (2,)"),
        ("packed", np.zeros(3, dtype=np.uint8), "5 dies take uint8 (2,)"),
        ("packed", np.zeros(2, dtype=np.int64), "5 dies take uint8 (2,)"),
        ("packed", np.array([0, 3], dtype=np.uint8), "map 0 holds a die of value 3"),
        ("shapes", np.array([[0, 5]]), "`shapes`"),
        ("shapes", np.array([5]), "`shapes`"),
        ("shapes", np.array([[1.0, 5.0]]), "`shapes` is of float64"),
        ("label", np.array([3]), "there are 3 classes"),
        ("label", np.array([0, 0]), "there are 1 maps"),
        ("label", np.array(["Dot"]), "`label` is of"),
        ("split", np.array([150]), "`split` holds 150"),
        ("split", np.array([-1]), "`split` holds -1"),
        ("classes", np.array(["a", "a"]), "each once"),
        ("classes", np.array(["a", "b"], dtype=object), "cannot be read"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(tmp_path: Path, name: str, array: Any, told: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_packed(written(tmp_path, {**whole(), name: array}))
    assert told in raised.value.what
    assert raised.value.where.endswith("maps.npz")


@pytest.mark.parametrize("name", ["packed", "shapes", "label", "classes"])
def test_a_missing_array_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"no array {name}"):
        read_packed(written(tmp_path, {key: array for key, array in whole().items() if key != name}))


def test_the_measured_maps() -> None:
    maps = measured_maps()
    assert len(maps) == 62_248
    assert maps.classes == CLASSES
    assert np.bincount(maps.split).tolist() == [37_348, 12_450, 12_450]
    assert sum(map.size for map in maps.maps) == 95_793_678
    assert read_maps(FILE) is maps


def whole() -> dict[str, Any]:
    """One map of five dies."""
    return {
        "packed": np.array([0, 0], dtype=np.uint8),
        "shapes": np.array([[1, 5]], dtype=np.uint16),
        "label": np.array([2], dtype=np.uint8),
        "split": np.array([1], dtype=np.uint8),
        "classes": np.array(["Ring", "Line", "Dot"]),
    }


def written(tmp_path: Path, arrays: dict[str, Any]) -> Path:
    path = tmp_path / "maps.npz"
    np.savez(path, **arrays)
    return path
