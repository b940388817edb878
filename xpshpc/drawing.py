"""One way to draw figures: the same hand for all of them, no display, no global state, small SVG with real text."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#1f2933"
SOFT = "#52606d"
FAINT = "#d9dee4"
BLUE = "#1f6fb2"
AMBER = "#c46a00"
DENSITY = ("#dceaf6", "#9cc4e4", "#3b82bd", "#123a63")
"""From few to many."""

_STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": SOFT,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "font.family": ["sans-serif"],
    "font.size": 10.0,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "mathtext.default": "regular",
    "svg.fonttype": "none",
    "svg.hashsalt": "xpshpc",
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
}
_UNDATED = {"svg": {"Date": None, "Creator": None}, "pdf": {"CreationDate": None}}


def draw_svg(draw: Callable[[Figure], None], *, width_in: float, height_in: float) -> str:
    """An `<svg>` element of what `draw` puts on an empty figure, the same bytes for the same data."""
    svg = draw_file(draw, "svg", width_in=width_in, height_in=height_in).decode()
    return svg[svg.index("<svg") :]


def draw_file(draw: Callable[[Figure], None], form: str, *, width_in: float, height_in: float) -> bytes:
    """The bytes of an image file ("svg", "png", "pdf") of what `draw` puts on an empty figure."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        draw(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format=form, dpi=150, metadata=_UNDATED.get(form))
    return buffer.getvalue()
