"""The valid samples of a run's committed shards as one row of samples, read in any pieces."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.evaluate.images.image_set import cut
from xpshpc.plan.identity import hash_json
from xpshpc.run_directory import RunDirectory
from xpshpc.store.read import Store


class StoredRows:
    """Samples of the named arrays, in the order of their indices. Raises UsageError for fewer than two."""

    kind = "rows"

    def __init__(self, store: Store, names: tuple[str, ...], limit: int | None = None) -> None:
        self._store, self._names = store, names
        self._ends = np.cumsum([int(store.valid(shard).sum()) for shard in store.committed], dtype=np.int64)
        self._taken = cut(int(self._ends[-1]) if len(self._ends) else 0, limit, str(store.run.path))
        self._held: tuple[int, dict[str, NDArray[Any]]] | None = None
        self.name = store.run.path.resolve().name

    @cached_property
    def identity(self) -> str:
        """Hash (hex) of what decides the samples: data, arrays, committed shards and how many of each are valid."""
        return hash_json(
            {
                "data": self._store.plan.data_hash,
                "arrays": sorted(self._names),
                "shards": self._store.committed,
                "ends": self._ends.tolist(),
                "taken": self._taken,
            }
        )

    def __len__(self) -> int:
        return self._taken

    def read_rows(self, start: int, stop: int) -> dict[str, NDArray[Any]]:
        """The samples from `start` on, up to `stop` or the end, of each array, (n, …)."""
        pieces: list[dict[str, NDArray[Any]]] = []
        place, stop = start, min(stop, self._taken)
        while place < stop:
            position = int(np.searchsorted(self._ends, place, side="right"))
            first = int(self._ends[position - 1]) if position else 0
            end = min(stop, int(self._ends[position]))
            rows = self._shard(position)
            pieces.append({name: rows[name][place - first : end - first] for name in self._names})
            place = end
        return {name: np.concatenate([self._none(name), *(piece[name] for piece in pieces)]) for name in self._names}

    def _shard(self, position: int) -> dict[str, NDArray[Any]]:
        """All samples of a committed shard; the last one is held, since pieces are asked for in order."""
        if self._held is None or self._held[0] != position:
            self._held = position, self._store.read_shard(self._store.committed[position], self._names)
        return self._held[1]

    def _none(self, name: str) -> NDArray[Any]:
        spec = self._store.specs[name]
        return np.zeros((0, *spec.shape), spec.dtype)


def open_rows(run: Path, names: tuple[str, ...], limit: int | None = None) -> StoredRows | None:
    """The samples of these arrays of a run; None where its store lacks one of them."""
    store = Store(RunDirectory(run))
    return StoredRows(store, names, limit) if set(names) <= store.specs.keys() else None
