"""Curves drawn with braille dots: two across and four down in each character, on any terminal that knows Unicode."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from xpshpc.report.quantities import write_value

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BLANK = 0x2800
_RESET = "\x1b[0m"
_COLOURS = ("\x1b[36m", "\x1b[33m", "\x1b[35m", "\x1b[32m")
_LOGARITHMIC_FROM = 20.0


@dataclass(frozen=True)
class Curve:
    """Points joined by straight lines; those that are not finite are left out."""

    label: str
    x: Sequence[float]
    y: Sequence[float]


def draw_chart(
    curves: Sequence[Curve], *, width: int, height: int, x_label: str, y_label: str, colour: bool
) -> list[str]:
    """Lines of text with the curves, their axes and a legend, at most `width` characters wide, `height` rows of dots.

    The vertical axis is logarithmic where the values span more than a factor of 20. Where curves meet in one character
    the later one gives the colour.
    """
    points = [
        [(x, y) for x, y in zip(curve.x, curve.y, strict=True) if math.isfinite(x) and math.isfinite(y)]
        for curve in curves
    ]
    values = [y for curve in points for _, y in curve]
    if not values:
        return []
    logarithmic = min(values) > 0 and max(values) / min(values) > _LOGARITHMIC_FROM
    low, high = _padded(min(values), max(values), logarithmic)
    left, right = _padded(min(x for c in points for x, _ in c), max(x for c in points for x, _ in c), False, margin=0)
    ticks = {row: write_value(_at(1 - row / (height - 1), low, high, logarithmic), 3) for row in range(0, height, 4)}
    gutter = max(map(len, ticks.values())) + 1
    columns = max(8, width - gutter - 1)
    grid = _Grid(columns, height)
    for number, curve in enumerate(points):
        places = [
            (
                (x - left) / (right - left) * (2 * columns - 1),
                (1 - _share(y, low, high, logarithmic)) * (4 * height - 1),
            )
            for x, y in curve
        ]
        for start, stop in zip(places, places[1:] or places, strict=False):
            grid.draw_line(start, stop, number)
    scale = ", logarithmic" if logarithmic else ""
    names = "   ".join(_tinted("⠶⠶", n, colour) + f" {curve.label}" for n, curve in enumerate(curves))
    lines = [f"{y_label}{scale}   {names}"]
    for row in range(height):
        mark = "┤" if row in ticks else "│"
        lines.append(f"{ticks.get(row, ''):>{gutter}}{mark}{grid.write_row(row, colour)}".rstrip())
    lines.append(" " * gutter + "└" + "─" * columns)
    first, last = f"{left:g}", f"{right:g}"
    inner = f"{x_label:^{max(0, columns - len(first) - len(last))}}"
    lines.append(" " * (gutter + 1) + first + inner + last)
    return lines


class _Grid:
    """Dots, two by four in a character."""

    def __init__(self, columns: int, rows: int) -> None:
        self._dots = [[0] * columns for _ in range(rows)]
        self._curves = [[0] * columns for _ in range(rows)]

    def draw_line(self, start: tuple[float, float], stop: tuple[float, float], curve: int) -> None:
        steps = max(1, math.ceil(max(abs(stop[0] - start[0]), abs(stop[1] - start[1]))))
        for step in range(steps + 1):
            x = round(start[0] + (stop[0] - start[0]) * step / steps)
            y = round(start[1] + (stop[1] - start[1]) * step / steps)
            self._dots[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
            self._curves[y // 4][x // 2] = curve

    def write_row(self, row: int, colour: bool) -> str:
        drawn = [
            (curve if dots else None, chr(_BLANK + dots) if dots else " ")
            for dots, curve in zip(self._dots[row], self._curves[row], strict=True)
        ]
        runs = [(curve, "".join(text for _, text in run)) for curve, run in groupby(drawn, key=lambda cell: cell[0])]
        return "".join(text if curve is None else _tinted(text, curve, colour) for curve, text in runs)


def _tinted(text: str, number: int, colour: bool) -> str:
    return f"{_COLOURS[number % len(_COLOURS)]}{text}{_RESET}" if colour else text


def _padded(low: float, high: float, logarithmic: bool, margin: float = 0.04) -> tuple[float, float]:
    if low == high:
        return (low - 0.5, high + 0.5) if low == 0 else (low - abs(low) / 2, high + abs(high) / 2)
    if logarithmic:
        factor = (high / low) ** margin
        return low / factor, high * factor
    return low - margin * (high - low), high + margin * (high - low)


def _share(value: float, low: float, high: float, logarithmic: bool) -> float:
    if logarithmic:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def _at(share: float, low: float, high: float, logarithmic: bool) -> float:
    return low * (high / low) ** share if logarithmic else low + share * (high - low)
