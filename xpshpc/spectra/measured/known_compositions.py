"""A table of measured files whose compositions are known by other means.

    file,name,composition
    copper.csv,,Cu
    oxides.vms,"NiO, Survey",NiO
    alloy.xy,,Fe=68 Cr=18 Ni=14

Comma, semicolon or tab stand between the columns; lines that begin with # are remarks. `file` is taken from the table's
own folder; `name` is the spectrum's in a file with several; `composition` is a formula, or at.% that add up to 100. It
is the sample's, without the contamination that lies on it, and without hydrogen and helium, which XPS does not see.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xpshpc.config import nearest
from xpshpc.errors import UsageError
from xpshpc.spectra.elements import ELEMENT_INDEX
from xpshpc.spectra.matter.sample import INVISIBLE, parse_formula
from xpshpc.spectra.measured.text import read_lines

COLUMNS = ("file", "name", "composition")
WHOLE_WITHIN_AT_PERCENT = 1.0
"""How far at.% may be from adding up to 100: what rounding leaves; they are scaled to 100."""

_EXAMPLE = 'the columns file and composition: "copper.csv,Cu2O" or "alloy.csv,Fe=68 Cr=18 Ni=14"'
_SHARE = re.compile(r"([A-Z][a-z]?)=([0-9]+(?:\.[0-9]*)?|\.[0-9]+)%?")


@dataclass(frozen=True)
class KnownComposition:
    """A row of the table: the file, the spectrum's name in it ("": its only one), and atomic fractions that sum to 1.

    `place` names table and line, for messages.
    """

    place: str
    file: Path
    name: str
    fractions: Mapping[str, float]


def read_known_compositions(table: Path) -> list[KnownComposition]:
    """The rows of a table, in order. Raises UsageError naming the line that cannot be taken."""
    lines = [(number, line) for number, line in enumerate(read_lines(table), start=1) if _tells(line)]
    if not lines:
        raise UsageError("the table is empty", where=str(table), try_=_EXAMPLE)
    delimiter = max(";\t,", key=lines[0][1].count)
    titles = [title.strip() for title in next(csv.reader([lines[0][1]], delimiter=delimiter))]
    _check_titles(titles, f"{table}, line {lines[0][0]}")
    rows = [_read_row(table, number, titles, line, delimiter) for number, line in lines[1:]]
    if not rows:
        raise UsageError("the table has no rows", where=str(table), try_=_EXAMPLE)
    seen: dict[tuple[Path, str], str] = {}
    for row in rows:
        if (row.file, row.name) in seen:
            raise UsageError(f"the same spectrum as in {seen[row.file, row.name]}", where=row.place)
        seen[row.file, row.name] = row.place
    return rows


def read_composition(text: str) -> dict[str, float]:
    """Atomic fractions by element of a formula ("Cu2O"), or of at.% ("Cu=66.7 O=33.3").

    Raises UsageError for what is neither, names an element that XPS does not see, or does not add up to 100.
    """
    if "=" not in text:
        return parse_formula(text)
    shares: dict[str, float] = {}
    for word in re.split(r"[\s,;]+", text.strip()):
        share = _SHARE.fullmatch(word)
        if share is None:
            raise UsageError(f"{word!r} is not ELEMENT=AT.%", where=text, try_="Cu=66.7 O=33.3")
        element = share[1]
        if element in INVISIBLE:
            raise UsageError(f"XPS does not see {element}", where=text, try_="give the at.% of all other elements")
        if element not in ELEMENT_INDEX:
            raise UsageError(f"unknown element {element!r}{nearest(element, ELEMENT_INDEX)}", where=text)
        if element in shares:
            raise UsageError(f"{element} stands twice", where=text)
        shares[element] = float(share[2])
    total = sum(shares.values())
    if abs(total - 100) > WHOLE_WITHIN_AT_PERCENT:
        raise UsageError(f"the at.% add up to {total:g}, not to 100", where=text, try_="Cu=66.7 O=33.3, or Cu2O")
    return {element: share / total for element, share in shares.items() if share > 0}


def _tells(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _check_titles(titles: Sequence[str], place: str) -> None:
    for title in titles:
        if title not in COLUMNS:
            raise UsageError(f"unknown column {title!r}{nearest(title, COLUMNS)}", where=place, try_=_EXAMPLE)
    missing = [title for title in ("file", "composition") if title not in titles]
    if missing or len(set(titles)) != len(titles):
        what = f"column {missing[0]!r} is missing" if missing else "a column stands twice"
        raise UsageError(what, where=place, try_=_EXAMPLE)


def _read_row(table: Path, number: int, titles: Sequence[str], line: str, delimiter: str) -> KnownComposition:
    place = f"{table}, line {number}"
    cells = [cell.strip() for cell in next(_cells(line, delimiter, place))]
    if len(cells) != len(titles):
        raise UsageError(
            f"{len(cells)} cells under {len(titles)} columns",
            where=place,
            try_='quotes around a cell that holds the delimiter: "NiO, Survey"',
        )
    told = {"name": "", **dict(zip(titles, cells, strict=True))}
    if not told["file"]:
        raise UsageError("no file is named", where=place, try_=_EXAMPLE)
    file = table.parent / told["file"]
    if not file.is_file():
        raise UsageError("no such file", where=f"{place}: {file}", try_="paths from the table's own folder")
    try:
        fractions = read_composition(told["composition"])
    except UsageError as error:
        raise UsageError(error.what, where=f"{place} ({told['file']}): composition", try_=error.try_) from None
    return KnownComposition(place, file, told["name"], fractions)


def _cells(line: str, delimiter: str, place: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader([line], delimiter=delimiter, strict=True)
    except csv.Error as error:
        raise UsageError(f"cannot be taken apart: {error}", where=place, try_=_EXAMPLE) from None
