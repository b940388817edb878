"""What a benchmark answers: one figure a row, with the aim it is held against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A measured figure; ratios have the unit "×", and `aim` is text such as "≥ 3"."""

    name: str
    value: float
    unit: str
    aim: str = ""


def print_rows(title: str, rows: Iterable[Row]) -> None:
    """Prints one benchmark's rows in columns."""
    print(f"\n{title}")
    for row in rows:
        aim = f"   aim {row.aim}" if row.aim else ""
        print(f"  {row.name:<64}{row.value:>12.4g} {row.unit:<10}{aim}")
