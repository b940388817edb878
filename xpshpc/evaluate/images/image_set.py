"""What a set of images offers, and what every such set has to be."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError

Images = NDArray[np.uint8]
"""Gray levels, (n, rows, columns); 0 is black."""

FEWEST = 2
"""One image has no spread, so that no distance is defined."""


class ImageSet(Protocol):
    """Gray images of one size, in an order that never changes."""

    @property
    def name(self) -> str:
        """What a user calls it."""
        ...

    @property
    def kind(self) -> str:
        """`store`, `folder` or `npz`."""
        ...

    @property
    def identity(self) -> str:
        """Hash (hex) of what decides the images; where they lie does not."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of each image."""
        ...

    def __len__(self) -> int: ...

    def read(self, start: int, stop: int) -> Images:
        """The images from `start` on, up to `stop` or the end."""
        ...


def check_number(images: int, where: str) -> None:
    """Raises UsageError for a set too small to be compared."""
    if images < FEWEST:
        found = "no images" if images == 0 else "a single image"
        raise UsageError(f"{found}: a set to compare needs at least {FEWEST}", where=where, try_="a larger set")


def cut(images: int, limit: int | None, where: str) -> int:
    """How many of the images are taken. Raises UsageError for too few."""
    taken = images if limit is None else min(images, limit)
    check_number(taken, where)
    return taken


def as_gray(pixels: NDArray[Any], where: str) -> NDArray[np.uint8]:
    """Pixels (…, rows, columns, channels) as gray levels: one channel, or three equal ones.

    Raises UsageError where colours are.
    """
    first = pixels[..., 0]
    if pixels.shape[-1] not in (1, 3) or not (pixels == first[..., None]).all():
        raise UsageError("not a gray image: its channels differ", where=where, try_="convert it to gray first")
    return np.ascontiguousarray(first, np.uint8)
