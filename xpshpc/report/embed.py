"""Pictures on the page: this program's own as markup, anything else as an image in which nothing can run."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from xpshpc.domain import Panel

_IDENTIFIER = re.compile(r"""(\bid="|\bxlink:href="\#|\bhref="\#|url\(\#)""")
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_WIDTH = re.compile(r'<svg[^>]*?\bwidth="([\d.]+)pt"')
_WIDE_PT = 500.0


@dataclass(frozen=True)
class Figure:
    """A picture of the page: `svg` is markup of this program's own, `source` a data address of anything else.

    `dots` tells that it is made of few large dots, which stay sharp; such a one needs little room.
    """

    title: str
    caption: str
    svg: str = ""
    source: str = ""
    dots: bool = False

    @property
    def wide(self) -> bool:
        """Whether it wants the page's whole width; narrower ones stand in pairs."""
        width = _WIDTH.search(self.svg)
        return not self.dots and (width is None or float(width.group(1)) > _WIDE_PT)


def place_panels(panels: Sequence[Panel], prefix: str) -> list[Figure]:
    """The figures of a science, with identifiers of their own and without what a drawing library adds about itself."""
    return [
        Figure(panel.title, panel.caption, svg=rename_identifiers(_METADATA.sub("", panel.svg), f"{prefix}{number}-"))
        for number, panel in enumerate(panels, start=1)
    ]


def place_foreign(svg: bytes) -> Figure:
    """A figure read from a file: shown as an image, in which nothing can run."""
    return Figure("", "", source=f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}")


def place_dots(title: str, png: bytes) -> Figure:
    """A small PNG picture, enlarged without being smoothed."""
    return Figure(title, "", source=f"data:image/png;base64,{base64.b64encode(png).decode()}", dots=True)


def rename_identifiers(svg: str, prefix: str) -> str:
    """The same picture with a prefix before each identifier: several stand on one page."""
    return _IDENTIFIER.sub(lambda found: found.group(1) + prefix, svg)
