"""How the rows of a table are written: what parts the cells, and what marks decimals."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_SPECIAL = re.compile(r"[+-]?(?:nan|inf(?:inity)?)", re.IGNORECASE)
_DECIMALS = {
    ".": re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eEdD][+-]?[0-9]+)?"),
    ",": re.compile(r"[+-]?(?:[0-9]+,?[0-9]*|,[0-9]+)(?:[eEdD][+-]?[0-9]+)?"),
}
_SAMPLED_ROWS = 2000


@dataclass(frozen=True)
class Dialect:
    """`delimiter` is a character, or None for any white space; `decimal` is "." or ","."""

    delimiter: str | None
    decimal: str

    def split(self, line: str) -> list[str]:
        """The cells of a line, without quotes and blanks around them; empty cells at its end are dropped."""
        cells = [cell.strip().strip('"').strip() for cell in line.split(self.delimiter)]
        while cells and not cells[-1]:
            cells.pop()
        return cells

    def number(self, cell: str) -> float | None:
        """The value of a cell, None if it is not a number."""
        if _DECIMALS[self.decimal].fullmatch(cell):
            return float(cell.replace(",", ".").replace("d", "e").replace("D", "e"))
        return float(cell) if _SPECIAL.fullmatch(cell) else None

    def numbers(self, line: str) -> list[float] | None:
        """The values of a line that is two or more numbers and nothing else, else None."""
        values = [self.number(cell) for cell in self.split(line)]
        return [value for value in values if value is not None] if len(values) > 1 and None not in values else None


DIALECTS = (
    Dialect("\t", "."),
    Dialect(";", "."),
    Dialect(",", "."),
    Dialect(None, "."),
    Dialect("\t", ","),
    Dialect(";", ","),
    Dialect(None, ","),
)


def sniff_dialect(lines: Sequence[str]) -> Dialect | None:
    """The dialect in which most lines are rows of numbers, with the same number of cells; None if none are."""
    sample = lines[:: max(1, len(lines) // _SAMPLED_ROWS)]
    best, most = None, 0
    for dialect in DIALECTS:
        widths = Counter(len(row) for line in sample if (row := dialect.numbers(line)) is not None)
        if widths and (agreeing := max(widths.values())) > most:
            best, most = dialect, agreeing
    return best
