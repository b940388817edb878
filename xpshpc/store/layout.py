"""Which arrays a data set has, how they are cut into files, and the Zarr metadata that says so."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xpshpc.errors import UsageError, VerificationError
from xpshpc.source import ArraySpec
from xpshpc.store.shard_file import COMPRESSION_LEVEL, ShardFormat

VALID = ArraySpec("valid", (), "bool", "1", "false where the sample is in quarantine: its rows hold no data")


@dataclass(frozen=True)
class StoredArray:
    """One array of a store: `form` is that of its shards, `spec` what the source says of it."""

    spec: ArraySpec
    form: ShardFormat

    @property
    def name(self) -> str:
        return self.spec.name

    def chunk_key(self, shard: int) -> str:
        """The file of a shard inside the array's folder: c.N.0… (one flat folder, no directory for each shard)."""
        return ".".join(["c", str(shard), *("0" for _ in self.form.row_shape)])

    def file(self, data: Path, shard: int) -> Path:
        return data / self.name / self.chunk_key(shard)


def lay_out(specs: Iterable[ArraySpec], shard_samples: int, inner_chunk_samples: int) -> tuple[StoredArray, ...]:
    """The arrays of a store: those of the source, and `valid`.

    Raises UsageError if two arrays have one name or a name is no plain file name.
    """
    arrays: dict[str, StoredArray] = {}
    for spec in (*specs, VALID):
        if spec.name in arrays or not spec.name.isidentifier():
            raise UsageError("a source's arrays need different, plain names ('valid' is taken)", where=spec.name)
        dtype = np.dtype(spec.dtype).newbyteorder("<")
        form = ShardFormat(shard_samples // inner_chunk_samples, inner_chunk_samples, spec.shape, dtype)
        arrays[spec.name] = StoredArray(spec, form)
    return tuple(arrays.values())


def write_metadata(
    folder: Path, arrays: Iterable[StoredArray], samples: int, shard_samples: int, attributes: Mapping[str, Any]
) -> None:
    """Writes an empty Zarr v3 group with consolidated metadata into a new folder.

    Nothing in it changes when shards arrive, so it is written, and consolidated, once.
    """
    import warnings

    import zarr
    from zarr.codecs import BloscCodec, BloscShuffle, Crc32cCodec

    group = zarr.create_group(folder, zarr_format=3, attributes=dict(attributes))
    for array in arrays:
        spec, form = array.spec, array.form
        group.create_array(
            spec.name,
            shape=(samples, *spec.shape),
            shards=(shard_samples, *spec.shape),
            chunks=(form.chunk_rows, *spec.shape),
            dtype=form.dtype,
            fill_value=0,
            compressors=[
                BloscCodec(cname="zstd", clevel=COMPRESSION_LEVEL, shuffle=BloscShuffle.bitshuffle),
                Crc32cCodec(),
            ],
            chunk_key_encoding={"name": "default", "separator": "."},
            dimension_names=["sample", *(spec.dimensions or (None for _ in spec.shape))],
            attributes={"unit": spec.unit, "description": spec.description, **spec.attributes},
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        zarr.consolidate_metadata(group.store)


def read_layout(data: Path) -> tuple[tuple[StoredArray, ...], dict[str, Any]]:
    """The arrays and attributes of a store on the disk, read from its consolidated metadata without importing zarr.

    Raises UsageError where no store is, VerificationError if its metadata cannot be read.
    """
    file = data / "zarr.json"
    try:
        group = json.loads(file.read_bytes())
        arrays = tuple(
            _stored_array(name, metadata) for name, metadata in group["consolidated_metadata"]["metadata"].items()
        )
        return arrays, group["attributes"]
    except FileNotFoundError:
        raise UsageError("no data set here", where=str(data), try_="xpshpc generate JOB") from None
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise VerificationError(
            f"the store's metadata cannot be read: {error!r}", where=str(file), try_="xpshpc verify RUN --repair"
        ) from None


def _stored_array(name: str, metadata: Mapping[str, Any]) -> StoredArray:
    shard_rows = metadata["chunk_grid"]["configuration"]["chunk_shape"][0]
    chunk_rows = metadata["codecs"][0]["configuration"]["chunk_shape"][0]
    attributes = dict(metadata["attributes"])
    row_shape = tuple(metadata["shape"][1:])
    dimensions = tuple(metadata.get("dimension_names", [None])[1:])
    spec = ArraySpec(
        name,
        row_shape,
        metadata["data_type"],
        attributes.pop("unit"),
        attributes.pop("description"),
        () if None in dimensions else dimensions,
        attributes,
    )
    dtype = np.dtype(metadata["data_type"]).newbyteorder("<")
    return StoredArray(spec, ShardFormat(shard_rows // chunk_rows, chunk_rows, row_shape, dtype))
