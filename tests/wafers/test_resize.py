"""Resizing keeps what a map says: its values, its symmetry, its share of failed dies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wafers.measured_maps import made_up_map, measured_maps
from xpshpc.wafers.maps import FAIL, OFF, PASS, Map
from xpshpc.wafers.resize import resize_map, resize_maps

sizes = st.integers(1, 40)


@st.composite
def any_map(draw: st.DrawFn) -> Map:
    rows, columns, seed = draw(sizes), draw(sizes), draw(st.integers(0, 2**32))
    return np.random.default_rng(seed).integers(0, 3, (rows, columns), dtype=np.uint8)


def failed_share(map: Map) -> float:
    return float((map == FAIL).sum() / max((map != OFF).sum(), 1))


@given(any_map(), sizes)
def test_a_resized_map_is_a_map(map: Map, size: int) -> None:
    resized = resize_map(map, size)
    assert resized.shape == (size, size)
    assert resized.dtype == np.uint8
    assert resized.max() <= FAIL


@given(any_map(), sizes)
def test_mirroring_and_turning_commute_with_resizing(map: Map, size: int) -> None:
    resized = resize_map(map, size)
    np.testing.assert_array_equal(resize_map(map[::-1], size), resized[::-1])
    np.testing.assert_array_equal(resize_map(map[:, ::-1], size), resized[:, ::-1])
    np.testing.assert_array_equal(resize_map(np.rot90(map), size), np.rot90(resized))
    np.testing.assert_array_equal(resize_map(map.T, size), resized.T)


@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 2**32))
def test_a_whole_number_of_cells_a_die_repeats_each_die(size: int, factor: int, seed: int) -> None:
    """With a factor of 1: a map of the right size comes back unchanged."""
    map = np.random.default_rng(seed).integers(0, 3, (size, size), dtype=np.uint8)
    np.testing.assert_array_equal(resize_map(map, size * factor), map.repeat(factor, axis=0).repeat(factor, axis=1))


@pytest.mark.parametrize("value", [OFF, PASS, FAIL])
def test_a_map_of_one_value_keeps_it(value: int) -> None:
    assert (resize_map(np.full((13, 7), value, dtype=np.uint8), 10) == value).all()


def test_each_map_is_resized_as_if_it_were_alone_in_its_place() -> None:
    maps = [made_up_map(seed, 9 + seed % 3, 12) for seed in range(20)]
    together = resize_maps(maps, 16)
    for map, resized in zip(maps, together, strict=True):
        np.testing.assert_array_equal(resized, resize_map(map, 16))
    assert resize_maps([], 16).shape == (0, 16, 16)


def test_a_thin_scratch_survives_where_it_holds_no_majority_of_any_cell() -> None:
    map = np.full((200, 200), PASS, dtype=np.uint8)
    map[40:160, 101] = FAIL
    resized = resize_map(map, 40)
    rows, columns = np.nonzero(resized == FAIL)
    assert set(columns.tolist()) == {20}
    assert rows.tolist() == list(range(8, 32))


@given(st.integers(0, 199), st.integers(0, 199), sizes)
def test_the_only_failed_die_does_not_vanish(row: int, column: int, size: int) -> None:
    map = np.full((200, 200), PASS, dtype=np.uint8)
    map[row, column] = FAIL
    assert (resize_map(map, size) == FAIL).any()


@pytest.mark.parametrize("size", [24, 48, 120])
def test_measured_maps_keep_their_share_of_failed_dies(size: int) -> None:
    maps = measured_maps()
    chosen = np.concatenate([np.flatnonzero(maps.label == label)[:60] for label in range(len(maps.classes))])
    some = [maps.maps[place] for place in chosen]
    change = np.array(
        [
            failed_share(after) - failed_share(before)
            for before, after in zip(some, resize_maps(some, size), strict=True)
        ]
    )
    assert np.median(np.abs(change)) < 0.003
    assert np.abs(change).max() < 0.08
    assert abs(change.mean()) < 0.001


def test_measured_maps_keep_their_outline() -> None:
    """The share of dies on the wafer changes by less than half a die all around it."""
    maps = measured_maps()
    some = maps.maps[:: len(maps) // 200]
    for before, after in zip(some, resize_maps(some, 48), strict=True):
        around = 2 * (1 / before.shape[0] + 1 / before.shape[1] + 2 / 48)
        assert abs((before != OFF).mean() - (after != OFF).mean()) < 0.5 * around
