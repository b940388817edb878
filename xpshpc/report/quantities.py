"""Counts, durations, sizes and measured values, written as people read them."""

from __future__ import annotations

import math

NARROW_SPACE = "\u202f"
"""Parts groups of digits, or number and unit, and does not break a line; for pages, not for terminals."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_SIZES = ("B", "kB", "MB", "GB", "TB", "PB")


def write_count(value: float, separator: str = " ") -> str:
    """A whole number in groups of three: 12 345."""
    return f"{round(value):,}".replace(",", separator)


def write_duration(seconds: float) -> str:
    """Seconds in the two units that matter: 0.42 s, 48 s, 12 min 05 s, 3 h 12 min, 2 d 4 h."""
    if not math.isfinite(seconds) or seconds < 0:
        return "unknown"
    if seconds < 9.995:
        return f"{write_value(seconds, 2)} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def write_size(size: float) -> str:
    """Bytes in decimal units: 512 B, 1.2 GB."""
    for unit in _SIZES:
        if size < 999.5 or unit == _SIZES[-1]:
            return f"{round(size)} B" if unit == "B" else f"{write_value(size, 3)} {unit}"
        size /= 1000
    raise AssertionError("the last unit takes everything")


def write_rate(per_second: float) -> str:
    """A number a second with three digits: 2 310, 18.4, 0.52."""
    return write_count(per_second) if per_second >= 99.95 else write_value(per_second, 3)


def write_value(value: float | None, digits: int = 3) -> str:
    """A measured value with so many significant digits, an exponent only where it is needed: 0.0123, 4.57, 1.2e-07."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    scientific = f"{value:.{digits - 1}e}"
    exponent = int(scientific.partition("e")[2])
    if not -5 < exponent < 7:
        return scientific
    decimals = max(0, digits - 1 - exponent)
    return f"{round(value, digits - 1 - exponent):.{decimals}f}"


def write_percent(share: float | None, digits: int = 2) -> str:
    """A share of one as per cent: 97.13 %."""
    return "–" if share is None or not math.isfinite(share) else f"{100 * share:.{digits}f} %"
