"""The bytes of a shard: what goes in comes out, Zarr reads the same, and no damaged byte goes unnoticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from xpshpc.source import ArraySpec
from xpshpc.store.layout import lay_out, read_layout, write_metadata
from xpshpc.store.shard_file import (
    DamagedShard,
    ShardFormat,
    decode_chunk,
    decode_shard,
    encode_shard,
    find_damage,
)

DTYPES = ["uint16", "float32", "float64", "int64", "bool", "uint8", "complex64"]


@st.composite
def shards(draw: st.DrawFn) -> tuple[ShardFormat, NDArray[Any]]:
    form = ShardFormat(
        draw(st.integers(1, 5)),
        draw(st.integers(1, 7)),
        tuple(draw(st.lists(st.integers(1, 5), max_size=2))),
        np.dtype(draw(st.sampled_from(DTYPES))).newbyteorder("<"),
    )
    rows = draw(st.integers(1, form.chunks * form.chunk_rows))
    values = np.random.default_rng(draw(st.integers(0, 2**32))).integers(0, 250, (rows, *form.row_shape))
    return form, values.astype(form.dtype)


@given(shards())
def test_rows_come_back(shard: tuple[ShardFormat, NDArray[Any]]) -> None:
    form, rows = shard
    data = encode_shard(rows, form)
    np.testing.assert_array_equal(decode_shard(data, form, len(rows)), rows)
    assert find_damage(data, form, len(rows)) == []
    for chunk in range(-(-len(rows) // form.chunk_rows)):
        part = rows[chunk * form.chunk_rows : (chunk + 1) * form.chunk_rows]
        np.testing.assert_array_equal(decode_chunk(data, form, len(rows), chunk), part)


@given(shards(), st.data())
def test_any_changed_byte_is_found_where_it_is(shard: tuple[ShardFormat, NDArray[Any]], data: st.DataObject) -> None:
    form, rows = shard
    whole = encode_shard(rows, form)
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[place] ^= data.draw(st.integers(1, 255))
    found = find_damage(bytes(damaged), form, len(rows))
    assert found
    with pytest.raises(DamagedShard) as caught:
        decode_shard(bytes(damaged), form, len(rows))
    assert caught.value.damage == found[0]
    if place < len(whole) - form.index_bytes:
        ends = np.cumsum([len(encode_shard(part, one(form))) - 20 for part in chunks(rows, form)])
        chunk = int(np.searchsorted(ends, place, side="right"))
        assert [damage.first for damage in found] == [chunk * form.chunk_rows]
    else:
        assert found[0].first == 0 and found[-1].stop == len(rows)


@given(shards(), st.data())
def test_a_torn_file_is_found(shard: tuple[ShardFormat, NDArray[Any]], data: st.DataObject) -> None:
    form, rows = shard
    whole = encode_shard(rows, form)
    torn = whole[: data.draw(st.integers(0, len(whole) - 1))]
    assert find_damage(torn, form, len(rows))[0].first == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_zarr_reads_the_same(tmp_path: Path, dtype: str) -> None:
    samples, shard_samples, inner = 11, 8, 2
    specs = [
        ArraySpec("image", (3, 5), dtype, "counts", "numbers", ("y", "x")),
        ArraySpec("scalar", (), dtype, "1", ""),
    ]
    arrays = lay_out(specs, shard_samples, inner)
    write_metadata(tmp_path / "data.zarr", arrays, samples, shard_samples, {"axis": [1, 2, 3]})
    rng = np.random.default_rng(0)
    expected = {array.name: rng.integers(0, 200, (samples, *array.form.row_shape)).astype(dtype) for array in arrays}
    for array in arrays:
        for number, start in enumerate(range(0, samples, shard_samples)):
            rows = expected[array.name][start : start + shard_samples].astype(array.form.dtype)
            array.file(tmp_path / "data.zarr", number).write_bytes(encode_shard(rows, array.form))
    group = zarr.open_group(tmp_path / "data.zarr", mode="r")
    assert group.attrs["axis"] == [1, 2, 3]
    for name in ("image", "scalar"):
        found = group[name]
        assert isinstance(found, zarr.Array)
        np.testing.assert_array_equal(np.asarray(found[:]), expected[name])
    assert group["image"].attrs["unit"] == "counts"
    assert group["image"].metadata.dimension_names == ("sample", "y", "x")  # type: ignore[union-attr]


def test_zarr_writes_the_same_bytes(tmp_path: Path) -> None:
    arrays = lay_out([ArraySpec("counts", (32,), "uint16", "counts", "")], 8, 2)
    write_metadata(tmp_path / "data.zarr", arrays, 8, 8, {})
    rows = np.random.default_rng(0).poisson(100, (8, 32)).astype("uint16")
    array = zarr.open_group(tmp_path / "data.zarr", mode="r+")["counts"]
    assert isinstance(array, zarr.Array)
    array[:] = rows
    file = arrays[0].file(tmp_path / "data.zarr", 0)
    assert file.read_bytes() == encode_shard(rows, arrays[0].form)


def test_the_layout_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    specs = [
        ArraySpec("a", (4,), "float32", "Å", "lengths", ("z",), {"scale": 2}),
        ArraySpec("b", (), "int64", "1", ""),
    ]
    arrays = lay_out(specs, 8, 4)
    write_metadata(tmp_path / "data.zarr", arrays, 20, 8, {"axis": [0.5]})
    found, attributes = read_layout(tmp_path / "data.zarr")
    assert {array.name: array for array in found} == {array.name: array for array in arrays}
    assert attributes == {"axis": [0.5]}


def one(form: ShardFormat) -> ShardFormat:
    return ShardFormat(1, form.chunk_rows, form.row_shape, form.dtype)


def chunks(rows: NDArray[Any], form: ShardFormat) -> list[NDArray[Any]]:
    return [rows[first : first + form.chunk_rows] for first in range(0, len(rows), form.chunk_rows)]
