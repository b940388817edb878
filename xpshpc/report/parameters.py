"""Parameters of a search as people read them, and the axes on which their values are drawn."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xpshpc.report.quantities import write_value

UNSET = "default"
"""What is written for a parameter that a trial leaves to the network."""

_LOGARITHMIC_FROM = 8.0
_MOST_TICKS = 6
_SCALE_TICKS = 5


@dataclass(frozen=True)
class VariedParameter:
    """A parameter that is not the same in all trials; `values` are the different ones, numbers rising.

    `numeric`: they are numbers. `logarithmic`: all above 0, and so far apart that their logarithms are drawn.
    """

    key: str
    title: str
    values: tuple[Any, ...]
    numeric: bool
    logarithmic: bool

    def place(self, value: Any) -> float:
        """Where a value stands between 0, the lowest or first, and 1."""
        if not self.numeric:
            return self.values.index(value) / max(1, len(self.values) - 1)
        low, high = (self._scaled(self.values[end]) for end in (0, -1))
        return (self._scaled(value) - low) / (high - low)

    def ticks(self) -> list[tuple[float, str]]:
        """Places with what is written there: every value, or where these are many, some numbers between the ends."""
        if not self.numeric or len(self.values) <= _MOST_TICKS:
            return [(self.place(value), write_parameter(value)) for value in self.values]
        low, high = (self._scaled(self.values[end]) for end in (0, -1))
        places = [number / (_SCALE_TICKS - 1) for number in range(_SCALE_TICKS)]
        scaled = [low + place * (high - low) for place in places]
        numbers = [math.exp(number) if self.logarithmic else number for number in scaled]
        return [(place, write_value(number, 2)) for place, number in zip(places, numbers, strict=True)]

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.logarithmic else float(value)


def find_varied(points: Sequence[Mapping[str, Any]]) -> tuple[VariedParameter, ...]:
    """The parameters, by dotted key, that take more than one value over these points; missing ones count as unset."""
    keys = list(dict.fromkeys(key for point in points for key in point))
    distinct = {key: _distinct(point.get(key) for point in points) for key in keys}
    varied = [key for key in keys if len(distinct[key]) > 1]
    return tuple(_describe(key, title, distinct[key]) for key, title in zip(varied, title_keys(varied), strict=True))


def title_keys(keys: Sequence[str]) -> list[str]:
    """The last parts of dotted keys, or the whole keys where these would be the same."""
    short = [key.rpartition(".")[2] for key in keys]
    return short if len(set(short)) == len(short) else list(keys)


def write_parameter(value: Any) -> str:
    """A value of a parameter."""
    if value is None:
        return UNSET
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _distinct(values: Iterable[Any]) -> tuple[Any, ...]:
    """Different values, numbers rising, others as they come up. Lists and tables are values too."""
    found = tuple({_identity(value): value for value in values}.values())
    return tuple(sorted(found)) if all(map(_is_number, found)) else found


def _describe(key: str, title: str, values: tuple[Any, ...]) -> VariedParameter:
    numeric = all(map(_is_number, values))
    logarithmic = numeric and values[0] > 0 and values[-1] / values[0] >= _LOGARITHMIC_FROM
    return VariedParameter(key, title, values, numeric, logarithmic)


def _identity(value: Any) -> str:
    return json.dumps(float(value) if _is_number(value) else value, sort_keys=True, default=str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
