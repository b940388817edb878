"""Gray images brought to the size that a network wants."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xpshpc.evaluate.images.image_set import Images

Resize = Literal["lanczos", "antialiased"]
"""`lanczos` rounds to whole gray levels in between; `antialiased` is bicubic and keeps fractions (arXiv:2104.11222).

Both widen their filter when an image is made smaller.
"""

RESIZES: tuple[Resize, ...] = ("lanczos", "antialiased")


def resize_images(images: Images, size: int, how: Resize) -> NDArray[np.float32]:
    """The images as (n, size, size), gray levels 0 to 255."""
    from PIL import Image

    sized = np.empty((len(images), size, size), np.float32)
    for place, image in enumerate(images):
        if image.shape == (size, size):
            sized[place] = image
        elif how == "lanczos":
            sized[place] = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.LANCZOS))
        else:
            fractions = Image.fromarray(image.astype(np.float32)).resize((size, size), Image.Resampling.BICUBIC)
            sized[place] = np.clip(np.asarray(fractions), 0, 255)
    return sized
