"""Measured maps of any known kind of file."""

from __future__ import annotations

import zipfile
from functools import lru_cache
from pathlib import Path

from xpshpc.errors import UsageError
from xpshpc.wafers.maps import MapSet
from xpshpc.wafers.readers.folder import list_images, read_folder
from xpshpc.wafers.readers.lswmd import read_lswmd
from xpshpc.wafers.readers.packed import read_packed

Stamp = tuple[int, int, int]
"""Files, newest change in ns, bytes: while it stays the same, so do the maps."""

_KINDS = "packed maps (.npz), LSWMD.pkl, or a folder with a folder of PNG images for each class"
PICKLES = (".pkl", ".pickle")


def read_maps(path: Path) -> MapSet:
    """The labelled maps of a file or folder: packed .npz, LSWMD.pkl, or PNG images by class.

    The last ones read are kept as long as nothing changes on disk. Raises UsageError.
    """
    return _read(path.absolute(), stamp(path))


def stamp(path: Path) -> Stamp:
    """What tells whether the maps at this path have changed. Raises UsageError where there is nothing."""
    try:
        files = [file.stat() for file in (list_images(path) if path.is_dir() else [path])]
    except FileNotFoundError:
        raise UsageError("no such file or folder", where=str(path), try_=_KINDS) from None
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from None
    return len(files), max((file.st_mtime_ns for file in files), default=0), sum(file.st_size for file in files)


@lru_cache(maxsize=2)
def _read(path: Path, _read_at: Stamp) -> MapSet:
    try:
        if path.is_dir():
            return read_folder(path)
        if zipfile.is_zipfile(path):
            return read_packed(path)
        if path.suffix.lower() in PICKLES:
            return read_lswmd(path)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from None
    raise UsageError("not a known kind of wafer maps", where=str(path), try_=_KINDS)
