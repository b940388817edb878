"""Reads samples back: whole shards at a time, only what is committed, only what is valid."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError, VerificationError
from xpshpc.plan.shards import Plan
from xpshpc.run_directory import RunDirectory
from xpshpc.source import ArraySpec
from xpshpc.store.identity import read_identity
from xpshpc.store.layout import VALID, StoredArray, read_layout
from xpshpc.store.manifest import read_manifest
from xpshpc.store.shard_file import DamagedShard, decode_chunk, decode_shard


class Store:
    """The committed samples of a run. Opening reads three small files and lists the records; it holds no file open.

    Checksums are checked on every read. Raises UsageError where no data set is.
    """

    def __init__(self, run: RunDirectory) -> None:
        identity = read_identity(run)
        if identity is None:
            raise UsageError("no data set here", where=str(run.path), try_="xpshpc generate JOB")
        arrays, attributes = read_layout(run.data)
        self.run = run
        self.plan: Plan = identity.plan()
        self.attributes: dict[str, Any] = attributes
        self._arrays = {array.name: array for array in arrays}

    @cached_property
    def committed(self) -> list[int]:
        """Numbers of the committed shards, ascending, as they were when first asked for."""
        return [int(number) for number in np.flatnonzero(read_manifest(self.run, self.plan).committed)]

    @cached_property
    def _is_committed(self) -> frozenset[int]:
        return frozenset(self.committed)

    @property
    def specs(self) -> dict[str, ArraySpec]:
        """Shape (of one sample), dtype, unit and description of each array."""
        return {name: array.spec for name, array in self._arrays.items()}

    def read_shard(self, number: int, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """The valid samples of a shard: for each name an array (n_valid, *shape), in order of their index.

        Raises UsageError for an unknown array or a shard that is not committed, VerificationError for a damaged file.
        """
        valid = self.valid(number)
        whole = bool(valid.all())
        rows = {name: self._read(self._array(name), number) for name in names}
        return rows if whole else {name: array[valid] for name, array in rows.items()}

    def valid(self, number: int) -> NDArray[np.bool_]:
        """For each sample of a shard, whether it holds data (false: in quarantine)."""
        self._require(number)
        return self._read(self._array(VALID.name), number)

    def indices(self, number: int) -> NDArray[np.int64]:
        """The sample indices of the rows that `read_shard` returns."""
        return self.plan[number].indices()[self.valid(number)]

    def read_sample(self, index: int, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """One sample: for each name an array of its own shape. Only its chunk is decompressed.

        Raises UsageError for a sample that is not there, not committed or in quarantine, VerificationError for damage.
        """
        if not 0 <= index < self.plan.samples:
            raise UsageError(f"there is no sample {index} (0 to {self.plan.samples - 1})", where=str(self.run.path))
        number, row = divmod(index, self.plan.shard_samples)
        if not self.valid(number)[row]:
            raise UsageError(f"sample {index} is in quarantine", where=str(self.run.path))
        return {name: self._read_row(self._array(name), number, row) for name in names}

    def _array(self, name: str) -> StoredArray:
        if name not in self._arrays:
            known = ", ".join(sorted(self._arrays))
            raise UsageError(f"the store has no array {name!r} (it has: {known})", where=str(self.run.data))
        return self._arrays[name]

    def _require(self, number: int) -> None:
        if number not in self._is_committed:
            raise UsageError(f"shard {number} is not committed", where=str(self.run.path), try_="xpshpc generate JOB")

    def _read(self, array: StoredArray, number: int) -> NDArray[Any]:
        try:
            return decode_shard(self._bytes(array, number), array.form, len(self.plan[number]))
        except DamagedShard as error:
            raise self._damaged(array, number, error) from None

    def _read_row(self, array: StoredArray, number: int, row: int) -> NDArray[Any]:
        chunk, within = divmod(row, array.form.chunk_rows)
        try:
            rows = decode_chunk(self._bytes(array, number), array.form, len(self.plan[number]), chunk)
        except DamagedShard as error:
            raise self._damaged(array, number, error) from None
        row_values: NDArray[Any] = np.asarray(rows[within])
        return row_values

    def _bytes(self, array: StoredArray, number: int) -> bytes:
        file = array.file(self.run.data, number)
        try:
            return file.read_bytes()
        except FileNotFoundError:
            raise VerificationError(
                f"shard {number} is committed, but its file is gone",
                where=str(file),
                try_=f"xpshpc verify {self.run.path} --repair",
            ) from None

    def _damaged(self, array: StoredArray, number: int, error: DamagedShard) -> VerificationError:
        sample = self.plan[number].start + error.damage.first
        return VerificationError(
            f"shard {number}, array {array.name}, from sample {sample}: {error.damage.why}",
            where=str(array.file(self.run.data, number)),
            try_=f"xpshpc verify {self.run.path} --repair",
        )
