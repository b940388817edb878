"""Wafer maps side by side, as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.drawing import BLUE, FAINT, draw_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OFF_COLOUR = "#ffffff"
"""Beside the wafer; dies that pass and dies that fail have the colours of all figures."""

_GAP = 3
_WIDTH_IN = 8.6
_NAMES_IN = 1.4


def draw_map_rows(rows: Mapping[str, Sequence[NDArray[np.uint8]]], columns: int) -> str:
    """An `<svg>` element with the maps (size, size) of each name in a row of `columns` places; some may stay empty."""
    from matplotlib.colors import ListedColormap

    colours = ListedColormap([OFF_COLOUR, FAINT, BLUE])
    row_in = (_WIDTH_IN - _NAMES_IN) / columns

    def draw(figure: Figure) -> None:
        places = np.atleast_1d(figure.subplots(len(rows), 1, squeeze=True))
        for axes, (name, maps) in zip(places, rows.items(), strict=True):
            strip = lay_side_by_side(maps, columns)
            axes.imshow(strip, cmap=colours, vmin=0, vmax=2, interpolation="nearest", aspect="equal")
            axes.set_ylabel(name, rotation=0, ha="right", va="center")
            axes.set_anchor("E")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.grid(visible=False)
            for spine in axes.spines.values():
                spine.set_visible(False)

    return draw_svg(draw, width_in=_WIDTH_IN, height_in=0.1 + row_in * len(rows))


def lay_side_by_side(maps: Sequence[NDArray[np.uint8]], columns: int) -> NDArray[Any]:
    """One image of up to `columns` maps of the same size, with a gap of empty dies between them."""
    height, width = maps[0].shape
    strip = np.zeros((height, columns * (width + _GAP) - _GAP), np.uint8)
    for place, one in enumerate(maps[:columns]):
        left = place * (width + _GAP)
        strip[:, left : left + width] = one
    return strip
