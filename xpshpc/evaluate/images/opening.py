"""Finds out what a path is, and opens its images."""

from __future__ import annotations

from pathlib import Path

from xpshpc.errors import UsageError
from xpshpc.evaluate.images.archive import Archive
from xpshpc.evaluate.images.image_set import ImageSet
from xpshpc.evaluate.images.pictures import Pictures
from xpshpc.evaluate.images.stored_images import StoredImages
from xpshpc.run_directory import RunDirectory

_WHAT_MAY_BE = "a run, a folder of gray PNG or JPEG files, or an .npz with `images` or `maps`"


def is_run(path: Path) -> bool:
    """Whether a path is a run directory."""
    return RunDirectory(path).job.is_file()


def open_images(path: Path, *, array: str | None = None, limit: int | None = None) -> ImageSet:
    """The images at a path: a run directory, a folder of pictures, or an .npz archive.

    `array` names one of several arrays of a run or an archive; `limit` takes the first ones only. Raises UsageError
    where there are none, a single one, several sizes, or colours.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"{limit} images cannot be taken", where="--limit")
    if is_run(path):
        return StoredImages(path, array, limit)
    if path.is_dir():
        if array is not None:
            raise UsageError("a folder of pictures has no arrays to choose from", where=str(path), try_="no --array")
        return Pictures(path, limit)
    if not path.exists():
        raise UsageError("no such file or folder", where=str(path), try_=_WHAT_MAY_BE)
    if path.suffix.lower() != ".npz":
        raise UsageError("not a set of images", where=str(path), try_=_WHAT_MAY_BE)
    return Archive(path, array, limit)
