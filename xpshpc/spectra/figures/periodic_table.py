"""The periodic table as a figure: one value for each element, told by its colour and written below its symbol."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from xpshpc.drawing import DENSITY, FAINT, INK, SOFT
from xpshpc.spectra.elements import ATOMIC_NUMBERS

_CELL = 46
_GAP = 3
_NOBLE = (2, 10, 18, 36, 54, 86, 118)
_SHOWN = range(1, 84)
_DARK_FROM = 0.55


def table_place(number: int) -> tuple[int, int]:
    """Column (0–17) and row of an element; lanthanides stand in row 7, a gap below the table, actinides in row 8."""
    period = next(row for row, last in enumerate(_NOBLE) if number <= last)
    first = 1 if period == 0 else _NOBLE[period - 1] + 1
    place, length = number - first, _NOBLE[period] - first + 1
    if length == 32 and 3 <= place <= 16:
        return place, period + 2
    if length == 32 and place > 16:
        return place - 14, period
    left = {2: 1, 8: 2, 18: 18, 32: 3}[length]
    return (place if place < left else place + 18 - length), period


def draw_periodic_table(values: Mapping[str, float], *, unit: str, label: str, lowest: float = 0.0) -> str:
    """An `<svg>` element, about 880 × 390; elements without a value are empty. `label` names the values.

    Colours run from `lowest`, which no value may be below, to the largest value.
    """
    largest = max(values.values(), default=lowest)
    span = largest - lowest or 1.0
    step = _CELL + _GAP
    cells = []
    for symbol, number in ATOMIC_NUMBERS.items():
        if number not in _SHOWN:
            continue
        column, row = table_place(number)
        # Without the seventh period, the lanthanides move up by a row.
        x, y = column * step, row * step if row < 7 else (row - 1) * step + 10
        value = values.get(symbol)
        share = None if value is None else (value - lowest) / span
        cells.append(_cell(x, y, symbol, number, value, share, unit))
    width, height = 18 * step - _GAP, 7 * step + 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(label)}" font-family="sans-serif" text-anchor="middle">'
        + "".join(cells)
        + _scale(lowest, lowest + span, unit, label, 4 * step, 8)
        + "</svg>"
    )


def _cell(x: float, y: float, symbol: str, number: int, value: float | None, share: float | None, unit: str) -> str:
    fill = "none" if share is None else blend(share)
    ink = SOFT if share is None else ("#ffffff" if share > _DARK_FROM else INK)
    told = "no value" if value is None else f"{value:.3g} {unit}"
    middle = x + _CELL / 2
    written = "" if value is None else f'<text x="{middle}" y="{y + 38}" font-size="10" fill="{ink}">{value:.2f}</text>'
    return (
        f"<g><title>{symbol}: {escape(told)}</title>"
        f'<rect x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" rx="4" fill="{fill}" stroke="{FAINT}"/>'
        f'<text x="{x + 4}" y="{y + 11}" font-size="8" fill="{ink}" text-anchor="start">{number}</text>'
        f'<text x="{middle}" y="{y + 26}" font-size="15" font-weight="600" fill="{ink}">{symbol}</text>{written}</g>'
    )


def _scale(lowest: float, largest: float, unit: str, label: str, x: float, y: float) -> str:
    steps = 24
    bars = "".join(
        f'<rect x="{x + 10 * step}" y="{y + 18}" width="10.5" height="10" fill="{blend(step / (steps - 1))}"/>'
        for step in range(steps)
    )
    return (
        f'<text x="{x}" y="{y + 10}" font-size="12" fill="{INK}" text-anchor="start">{escape(label)} ({unit})</text>'
        f"{bars}"
        f'<text x="{x}" y="{y + 42}" font-size="11" fill="{SOFT}" text-anchor="start">{lowest:.3g}</text>'
        f'<text x="{x + 10 * steps}" y="{y + 42}" font-size="11" fill="{SOFT}" text-anchor="end">{largest:.3g}</text>'
    )


def blend(share: float) -> str:
    """The colour of a share from 0 to 1, as #rrggbb."""
    position = min(max(share, 0.0), 1.0) * (len(DENSITY) - 1)
    low = min(int(position), len(DENSITY) - 2)
    pairs = zip(_channels(DENSITY[low]), _channels(DENSITY[low + 1]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * (position - low)):02x}" for a, b in pairs)


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[place : place + 2], 16) for place in (1, 3, 5))
