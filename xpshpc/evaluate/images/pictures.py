"""Images of a folder: its PNG and JPEG files, folders within it included, in the order of their names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.evaluate.images.image_set import Images, as_gray, cut

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = {".png", ".jpg", ".jpeg"}
_GRAY_MODES = {"1", "L"}
_COLOUR_MODES = {"RGB", "P", "RGBA", "LA"}


class Pictures:
    """The pictures of a folder. All headers are read at once, and the pixels of those that may have colours.

    Raises UsageError for no pictures, a single one, sizes that differ, colours, and files that are no pictures.
    """

    kind = "folder"

    def __init__(self, folder: Path, limit: int | None = None) -> None:
        files = find_pictures(folder)
        if not files:
            raise UsageError("no PNG or JPEG files in this folder", where=str(folder), try_="a folder of gray images")
        self._files = files[: cut(len(files), limit, str(folder))]
        self.name = folder.resolve().name
        self.size = _check(self._files)

    @cached_property
    def identity(self) -> str:
        digest = hashlib.sha256()
        for file in self._files:
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self._files)

    def read(self, start: int, stop: int) -> Images:
        images = [read_gray(file) for file in self._files[start:stop]]
        return np.stack(images) if images else np.zeros((0, *self.size), np.uint8)


def find_pictures(folder: Path) -> list[Path]:
    """The picture files of a folder and those within it, in the order of their names; hidden ones are left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    )


def read_gray(path: Path) -> NDArray[np.uint8]:
    """A picture's gray levels, (rows, columns). Raises UsageError for colours, transparency, or a torn file."""
    with _open(path) as picture:
        return _gray_levels(picture, path)


def _check(files: list[Path]) -> tuple[int, int]:
    """The one size of all files, (rows, columns)."""
    first: tuple[int, int] | None = None
    for file in files:
        with _open(file) as picture:
            size = (picture.height, picture.width)
            first = first or size
            if size != first:
                raise UsageError(
                    f"images of different size: {files[0].name} has {_told(first)}, {file.name} {_told(size)}",
                    where=str(file),
                    try_="bring all of them to one size",
                )
            if picture.mode not in _GRAY_MODES:
                _gray_levels(picture, file)
    assert first is not None, "a folder without pictures is refused before"
    return first


def _gray_levels(picture: Image, path: Path) -> NDArray[np.uint8]:
    if picture.mode in _GRAY_MODES:
        return np.array(picture.convert("L"))
    pixels = np.array(picture.convert("RGBA"))
    if (pixels[..., 3] != 255).any():
        raise UsageError("a picture with transparent pixels", where=str(path), try_="give it a background first")
    return as_gray(pixels[..., :3], str(path))


@contextmanager
def _open(path: Path) -> Iterator[Image]:
    from PIL import Image

    try:
        with Image.open(path) as picture:
            if picture.mode not in _GRAY_MODES | _COLOUR_MODES:
                raise UsageError(
                    f"pixels of the kind {picture.mode}, not 8-bit gray levels",
                    where=str(path),
                    try_="save it as 8-bit gray",
                )
            yield picture
    # Pillow tells of torn files in several ways, a bomb among them.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UsageError(
            f"not a readable picture: {error}", where=str(path), try_="leave it out, or save it again"
        ) from None


def _told(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"
