"""The bytes of one shard of one array: Zarr v3's `sharding_indexed` format, written and read whole.

A file is a row of inner chunks, each blosc(zstd 1, bitshuffle) followed by its crc32c, and at the end the index: offset
and length of each chunk as little-endian uint64, all ones where a chunk is absent, and the index's own crc32c
(https://zarr-specs.readthedocs.io/en/latest/v3/codecs/sharding-indexed/index.html). One pass over a whole shard
needs neither an event loop nor a thread for each chunk, and a damaged file can tell which rows it lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

ABSENT = 2**64 - 1
CRC_BYTES = 4
COMPRESSION_LEVEL = 1


@dataclass(frozen=True)
class ShardFormat:
    """The shape of a shard: `chunks` inner chunks of `chunk_rows` rows; a row has `row_shape` values of `dtype`."""

    chunks: int
    chunk_rows: int
    row_shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def index_bytes(self) -> int:
        return 16 * self.chunks + CRC_BYTES


@dataclass(frozen=True)
class Damage:
    """Rows `first` to `stop` (left out) of a shard that cannot be read, and why."""

    first: int
    stop: int
    why: str


class DamagedShard(Exception):
    """A shard file that cannot be read whole; `damage` names the first rows lost."""

    def __init__(self, damage: Damage) -> None:
        super().__init__(damage)
        self.damage = damage


def encode_shard(rows: NDArray[Any], form: ShardFormat) -> bytes:
    """The file of these rows, shape (n, *row_shape). Chunks beyond the last row are left absent.

    The same rows give the same bytes on every machine with the same compression library.
    """
    compressor, checksum = _codecs()
    rows = np.ascontiguousarray(rows, dtype=form.dtype)
    parts: list[bytes] = []
    index = np.full((form.chunks, 2), ABSENT, dtype="<u8")
    offset = 0
    for chunk, first in enumerate(range(0, len(rows), form.chunk_rows)):
        block = rows[first : first + form.chunk_rows]
        if len(block) < form.chunk_rows:
            padded = np.zeros((form.chunk_rows, *form.row_shape), form.dtype)
            padded[: len(block)] = block
            block = padded
        body = compressor.encode(block)
        parts += [body, _crc_field(checksum(body))]
        index[chunk] = offset, len(body) + CRC_BYTES
        offset += len(body) + CRC_BYTES
    table = index.tobytes()
    return b"".join([*parts, table, _crc_field(checksum(table))])


def decode_shard(data: bytes, form: ShardFormat, rows: int) -> NDArray[Any]:
    """The first `rows` rows of a file. Raises DamagedShard at the first chunk whose checksum or size is wrong."""
    used = -(-rows // form.chunk_rows)
    out = np.empty((used, form.chunk_rows, *form.row_shape), form.dtype)
    for chunk, damage in enumerate(_decode_chunks(data, form, rows, out)):
        if damage is not None:
            raise DamagedShard(Damage(chunk * form.chunk_rows, _stop(chunk, form, rows), damage))
    return out.reshape(used * form.chunk_rows, *form.row_shape)[:rows]


def decode_chunk(data: bytes, form: ShardFormat, rows: int, chunk: int) -> NDArray[Any]:
    """The rows of one inner chunk (`rows`: of the whole shard). Raises DamagedShard."""
    index = _read_index(data, form)
    out = np.empty((form.chunk_rows, *form.row_shape), form.dtype)
    why = index if isinstance(index, str) else _decode_one(data, form, index[chunk], out)
    if why is not None:
        raise DamagedShard(Damage(chunk * form.chunk_rows, _stop(chunk, form, rows), why))
    return out[: _stop(chunk, form, rows) - chunk * form.chunk_rows]


def find_damage(data: bytes, form: ShardFormat, rows: int) -> list[Damage]:
    """All rows of a file that cannot be read; empty when each chunk is whole."""
    used = -(-rows // form.chunk_rows)
    out = np.empty((used, form.chunk_rows, *form.row_shape), form.dtype)
    return [
        Damage(chunk * form.chunk_rows, _stop(chunk, form, rows), why)
        for chunk, why in enumerate(_decode_chunks(data, form, rows, out))
        if why is not None
    ]


def _decode_chunks(data: bytes, form: ShardFormat, rows: int, out: NDArray[Any]) -> Iterator[str | None]:
    index = _read_index(data, form)
    for chunk in range(-(-rows // form.chunk_rows)):
        yield index if isinstance(index, str) else _decode_one(data, form, index[chunk], out[chunk])


def _read_index(data: bytes, form: ShardFormat) -> NDArray[np.uint64] | str:
    _, checksum = _codecs()
    if len(data) < form.index_bytes:
        return f"file torn: {len(data)} bytes, the index alone has {form.index_bytes}"
    table = data[-form.index_bytes : -CRC_BYTES]
    if _crc_field(checksum(table)) != data[-CRC_BYTES:]:
        return "file torn or its index damaged (crc32c of the index)"
    return np.frombuffer(table, dtype="<u8").reshape(form.chunks, 2)


def _decode_one(data: bytes, form: ShardFormat, entry: NDArray[np.uint64], out: NDArray[Any]) -> str | None:
    compressor, checksum = _codecs()
    offset, length = int(entry[0]), int(entry[1])
    if offset == ABSENT:
        return "chunk absent"
    if length <= CRC_BYTES or offset + length > len(data) - form.index_bytes:
        return "chunk reaches beyond the file"
    body = data[offset : offset + length - CRC_BYTES]
    if _crc_field(checksum(body)) != data[offset + length - CRC_BYTES : offset + length]:
        return "crc32c of the chunk differs"
    try:
        compressor.decode(body, out=out)
    except (RuntimeError, ValueError) as error:
        return f"chunk does not decompress: {error}"
    return None


def _stop(chunk: int, form: ShardFormat, rows: int) -> int:
    return min((chunk + 1) * form.chunk_rows, rows)


def _crc_field(value: int) -> bytes:
    return value.to_bytes(CRC_BYTES, "little")


@cache
def _codecs() -> tuple[Any, Any]:
    import google_crc32c
    from numcodecs import Blosc, blosc  # type: ignore[import-untyped]

    # Blosc's own threads put blocks into the chunk in the order in which they finish.
    blosc.use_threads = False
    return Blosc(cname="zstd", clevel=COMPRESSION_LEVEL, shuffle=Blosc.BITSHUFFLE), google_crc32c.value
