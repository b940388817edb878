"""Images of a run: an array of its store with rows and columns of bytes, all committed and valid samples in order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.evaluate.images.image_set import Images
from xpshpc.evaluate.images.stored_rows import StoredRows
from xpshpc.run_directory import RunDirectory
from xpshpc.source import ArraySpec
from xpshpc.store.read import Store

PREFERRED = ("gray", "map")
"""Of several image arrays: gray levels as they were made come before what was read out of them."""

LEVELS = "gray"
"""The attribute of an array whose values are no gray levels: the gray level of each value."""


class StoredImages:
    """The images of one array of a store. Raises UsageError where the store has none, or not this one."""

    kind = "store"

    def __init__(self, run: Path, array: str | None = None, limit: int | None = None) -> None:
        store = Store(RunDirectory(run))
        spec = choose_array(store.specs, array, str(run))
        self._array = spec.name
        self._levels = gray_levels(spec)
        self._rows = StoredRows(store, (spec.name,), limit)
        self.name = f"{self._rows.name}:{spec.name}"
        self.identity = self._rows.identity
        self.size = (spec.shape[0], spec.shape[1])

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, start: int, stop: int) -> Images:
        values = self._rows.read_rows(start, stop)[self._array]
        if self._levels is None:
            return values
        if values.size and int(values.max()) >= len(self._levels):
            raise UsageError(f"the value {values.max()} has no gray level", where=self.name, try_="xpshpc verify RUN")
        gray: Images = self._levels[values]
        return gray


def choose_array(specs: dict[str, ArraySpec], wanted: str | None, where: str) -> ArraySpec:
    """The array that holds the images. Raises UsageError where there is none, or none of the wanted name."""
    found = {name: spec for name, spec in specs.items() if len(spec.shape) == 2 and np.dtype(spec.dtype) == np.uint8}
    if wanted is not None and wanted not in found:
        known = ", ".join(found) or "none"
        raise UsageError(f"no array of images named {wanted!r} (image arrays: {known})", where=where, try_="--array")
    if not found:
        raise UsageError(
            f"the run's samples hold no images (arrays: {', '.join(specs)})",
            where=where,
            try_="a run of wafer maps, or a trained run of the same science as --extractor",
        )
    by_preference = [name for name in PREFERRED if name in found]
    if wanted is None and len(found) > 1 and not by_preference:
        raise UsageError(f"several arrays of images: {', '.join(found)}", where=where, try_="name one with --array")
    return found[wanted or (by_preference or list(found))[0]]


def gray_levels(spec: ArraySpec) -> NDArray[np.uint8] | None:
    """The gray level of each value of an array; None where its values are gray levels already."""
    told = spec.attributes.get(LEVELS)
    return None if told is None else np.asarray(told, np.uint8)
