"""Sheets of images: many small gray ones side by side, as a PNG file or for a page."""

from __future__ import annotations

import base64
import io
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xpshpc.run_directory import write_atomically
from xpshpc.wafers.maps import GRAY, Map

MOST_SHOWN = 64
_GAP = 2
_GAP_GRAY = 64
_ENLARGED = 2


def draw_sheet(images: NDArray[np.uint8], *, most: int = MOST_SHOWN) -> NDArray[np.uint8]:
    """The first images (n, h, w) in rows and columns, as near to a square as they go; gray levels (height, width)."""
    shown = images[:most]
    columns = max(1, math.ceil(math.sqrt(len(shown))))
    rows = max(1, math.ceil(len(shown) / columns))
    height, width = shown.shape[1] + _GAP, shown.shape[2] + _GAP
    sheet = np.full((rows * height + _GAP, columns * width + _GAP), _GAP_GRAY, np.uint8)
    for number, image in enumerate(shown):
        row, column = divmod(number, columns)
        top, left = row * height + _GAP, column * width + _GAP
        sheet[top : top + image.shape[0], left : left + image.shape[1]] = image
    return sheet


def gray_of(maps: Map) -> NDArray[np.uint8]:
    """Maps as people look at them: black off the wafer, gray where a die passes, white where it fails."""
    return np.array(GRAY, np.uint8)[maps]


def encode_png(sheet: NDArray[np.uint8]) -> bytes:
    """The PNG file of gray levels (height, width), each die two dots wide."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(sheet.repeat(_ENLARGED, axis=0).repeat(_ENLARGED, axis=1)).save(buffer, format="PNG")
    return buffer.getvalue()


def write_sheet(path: Path, maps: Map) -> Path:
    """Writes the sheet of the first maps (n, rows, columns)."""
    write_atomically(path, encode_png(draw_sheet(gray_of(maps))))
    return path


def as_address(png: bytes) -> str:
    """A PNG file as a data address, which a page shows without loading anything."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
