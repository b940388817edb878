"""A folder of gray PNG images, one sub-folder a class, whose gray levels tell what became of each die."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.wafers.maps import FAIL, GRAY, SPLITS, Map, MapSet

TOLERANCE = 32
"""Largest distance of a gray level from that of a die's value."""

_LAYOUT = "FOLDER/CLASS/name.png, or FOLDER/train/CLASS/name.png with train, validation, test"


def read_folder(path: Path) -> MapSet:
    """The maps of CLASS/*.png, or of SPLIT/CLASS/*.png with the splits' names; classes are named by their folders.

    Images are in the order of split, class and name, which `index` counts. Without splits all is train. Names with a
    leading dot are passed over. Raises UsageError for a folder without classes, a class without images, and an image
    that is no map.
    """
    folders = {folder.name: folder for folder in _folders(path)}
    splits = [split for split in SPLITS if split in folders]
    if splits and len(splits) < len(folders):
        other = next(name for name in folders if name not in SPLITS)
        raise UsageError(f"{other!r} lies beside {splits[0]!r}", where=str(path), try_=_LAYOUT)
    parts = {split: _folders(folders[split]) for split in splits} if splits else {SPLITS[0]: _folders(path)}
    classes = tuple(sorted({folder.name for some in parts.values() for folder in some}))
    if not classes:
        raise UsageError("a folder without classes", where=str(path), try_=_LAYOUT)
    if len(classes) > 255:
        raise UsageError(f"{len(classes)} classes, at most 255 can be told apart", where=str(path))
    images = [
        (image, SPLITS.index(split), classes.index(folder.name))
        for split, some in parts.items()
        for folder in some
        for image in _images(folder)
    ]
    return MapSet(
        [read_map_png(image) for image, _, _ in images],
        np.array([label for _, _, label in images], dtype=np.uint8),
        np.array([split for _, split, _ in images], dtype=np.uint8),
        np.arange(len(images), dtype=np.int64),
        classes,
    )


def list_images(path: Path) -> list[Path]:
    """All that `read_folder` could read below a folder, in a fixed order."""
    return sorted(image for image in path.rglob("*") if image.suffix.lower() == ".png" and image.is_file())


def read_map_png(path: Path) -> Map:
    """One gray image as a map: each level is taken as the nearest of GRAY, at most TOLERANCE away.

    Raises UsageError for colours, for other levels, and for what is no image.
    """
    levels = _gray_levels(path)
    distance = np.abs(levels[:, :, None].astype(np.int16) - np.array(GRAY, dtype=np.int16))
    wrong = np.argwhere(distance.min(axis=2) > TOLERANCE)
    if len(wrong):
        row, column = wrong[0]
        raise UsageError(
            f"gray level {levels[row, column]} in row {row}, column {column}, and {len(wrong) - 1} more of no die",
            where=str(path),
            try_=f"gray levels {GRAY[0]} off the wafer, {GRAY[1]} pass, {GRAY[2]} fail, at most {TOLERANCE} away",
        )
    return np.asarray(distance.argmin(axis=2), dtype=np.uint8)


def write_map_png(map: Map, path: Path) -> None:
    """Writes a map as a gray image, one pixel a die, with the levels of GRAY."""
    from PIL import Image

    if map.ndim != 2 or not map.size or map.max() > FAIL:
        raise ValueError(f"not a map: shape {map.shape}")
    Image.fromarray(np.array(GRAY, dtype=np.uint8)[map]).save(path, format="PNG")


def _gray_levels(path: Path) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=["PNG"]) as image:
            mode = image.mode
            levels = np.asarray(image if mode == "L" else image.convert("RGBA" if "A" in mode else "RGB"))
            deep = mode.startswith(("I", "F"))
    except UnidentifiedImageError:
        raise UsageError("not a PNG image", where=str(path)) from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UsageError(f"cannot be read as a PNG image: {error}", where=str(path)) from None
    if deep:
        raise UsageError("more than 256 gray levels", where=str(path), try_="save it as 8-bit gray")
    if levels.ndim == 2:
        return levels
    if levels.shape[2] == 4 and levels[:, :, 3].min() < 255:
        raise UsageError("transparent in part", where=str(path), try_="save it as 8-bit gray without transparency")
    if (levels[:, :, :3] != levels[:, :, :1]).any():
        raise UsageError("a colour image, not gray", where=str(path), try_="save it as 8-bit gray")
    return levels[:, :, 0]


def _folders(path: Path) -> list[Path]:
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _images(folder: Path) -> list[Path]:
    images = sorted(
        entry for entry in folder.iterdir() if entry.suffix.lower() == ".png" and not entry.name.startswith(".")
    )
    if not images:
        raise UsageError("an empty class: no PNG image in it", where=str(folder), try_=_LAYOUT)
    return images
