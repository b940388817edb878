"""Images of an .npz archive: `images`, gray levels, or `maps`, values 0, 1 and 2."""

from __future__ import annotations

import hashlib
import zipfile
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.evaluate.images.image_set import Images, as_gray, cut

ARRAYS = ("images", "maps")
MAP_LEVELS = (0, 127, 255)
"""Gray levels of a map's values: nothing there, passed, failed."""

_HOW_TO_WRITE = "numpy.savez(path, images=array), uint8 of shape (n, rows, columns)"


class Archive:
    """The images of an archive, held in memory. Nothing is unpickled. Raises UsageError for what is no image set."""

    kind = "npz"

    def __init__(self, path: Path, array: str | None = None, limit: int | None = None) -> None:
        self._images = _read(path, array)
        self._images = self._images[: cut(len(self._images), limit, str(path))]
        self.name = path.name
        self.size = (self._images.shape[1], self._images.shape[2])

    @cached_property
    def identity(self) -> str:
        digest = hashlib.sha256(repr(self._images.shape).encode())
        digest.update(self._images.tobytes())
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self._images)

    def read(self, start: int, stop: int) -> Images:
        return self._images[start:stop]


def archive_arrays(path: Path) -> tuple[str, ...]:
    """Names of the arrays in an .npz archive. Raises UsageError for a file that is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(name.removesuffix(".npy") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile) as error:
        raise UsageError(f"not an .npz archive: {error}", where=str(path), try_=_HOW_TO_WRITE) from None


def _read(path: Path, wanted: str | None) -> Images:
    where = str(path)
    known = archive_arrays(path)
    names = [wanted] if wanted else [name for name in ARRAYS if name in known]
    if not names or names[0] not in known:
        found = ", ".join(known) or "nothing"
        raise UsageError(f"no array `{wanted or 'images'}` in it (found: {found})", where=where, try_=_HOW_TO_WRITE)
    try:
        with np.load(path, allow_pickle=False) as archive:
            values = archive[names[0]]
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise UsageError(f"cannot be read as an .npz archive: {error}", where=where, try_=_HOW_TO_WRITE) from None
    return _as_images(values, names[0], where)


def _as_images(values: NDArray[Any], name: str, where: str) -> Images:
    if values.dtype != np.uint8:
        raise UsageError(f"`{name}` is of {values.dtype}, not uint8", where=where, try_=_HOW_TO_WRITE)
    if values.ndim == 4:
        values = as_gray(values, where)
    if values.ndim != 3 or 0 in values.shape[1:]:
        raise UsageError(
            f"`{name}` has the shape {values.shape}, not (n, rows, columns)", where=where, try_=_HOW_TO_WRITE
        )
    if name != "maps":
        return values
    if values.size and values.max() >= len(MAP_LEVELS):
        raise UsageError(f"`maps` holds the value {values.max()}, not only 0, 1 and 2", where=where, try_=_HOW_TO_WRITE)
    gray: Images = np.asarray(MAP_LEVELS, np.uint8)[values]
    return gray
