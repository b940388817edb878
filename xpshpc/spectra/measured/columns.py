"""Spectra in text tables: CSV with a header, two-column XY, several regions below one another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.spectra.measured.dialect import Dialect, sniff_dialect
from xpshpc.spectra.measured.scale import EnergyStatement, Scale, scale_in_words, statement_in_words
from xpshpc.spectra.measured.spectrum import Columns, UncheckedSpectrum

_COMMENT = re.compile(r"\s*(?:#|%|//|!)")
_REGION = re.compile(r"^\W*(?:region|spectrum|sample)[ _]*(?:name|id)?\s*[:=]\s*(\S.*)$", re.IGNORECASE)
_ENERGY = re.compile(r"energy|\beV\b|^x$", re.IGNORECASE)
_INTENSITY = re.compile(r"intens|count|\bcps\b|\bc/s\b|signal|^raw|survey|yield|^y$", re.IGNORECASE)
_TRANSMISSION = re.compile(r"transmission|^T\(E\)", re.IGNORECASE)
_EXPORT_AGAIN = "export one survey spectrum as two columns, energy and intensity"


@dataclass
class _Block:
    """Rows of one table while it is being read; `heading` are the words above it."""

    heading: list[str]
    rows: list[list[float]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def continues_with(self, row: Sequence[float]) -> bool:
        if len(row) != len(self.rows[-1]):
            return False
        if len(self.rows) < 2:
            return True
        return (row[0] - self.rows[-1][0]) * (self.rows[-1][0] - self.rows[-2][0]) > 0


def read_tables(file: Path, lines: Sequence[str]) -> list[UncheckedSpectrum]:
    """The tables of a text file. Raises UsageError where it has none, naming the first line that is not understood."""
    dialect = sniff_dialect([line for line in lines if line.strip() and not _COMMENT.match(line)])
    if dialect is None:
        raise _no_table(file, lines)
    return [_take_columns(block, dialect) for block in _read_blocks(file, lines, dialect)]


def _no_table(file: Path, lines: Sequence[str]) -> UsageError:
    content = [(n, line.strip()) for n, line in enumerate(lines, 1) if line.strip() and not _COMMENT.match(line)]
    number, first = content[0] if content else (1, lines[0].strip())
    lone = next((n for n, line in content if Dialect(None, ".").number(line.replace(",", ".")) is not None), None)
    if lone is not None:
        return UsageError(
            "one number in a line; a spectrum has two columns", where=f"{file}, line {lone}", try_=_EXPORT_AGAIN
        )
    shown = first if len(first) <= 60 else f"{first[:57]}…"
    return UsageError(
        f"no rows of numbers in this file; it begins with {shown!r}", where=f"{file}, line {number}", try_=_EXPORT_AGAIN
    )


def _read_blocks(file: Path, lines: Sequence[str], dialect: Dialect) -> list[_Block]:
    """Parts the rows into tables: a new one begins below words if its energies do not go on where the last ended."""
    blocks: list[_Block] = []
    heading: list[str] = []
    strange: int | None = None
    parted = False
    for number, line in enumerate(lines, 1):
        if not line.strip():
            parted = True
            continue
        row = None if _COMMENT.match(line) else dialect.numbers(line)
        if row is None:
            if not _COMMENT.match(line):
                if blocks and not parted:
                    _refuse_damaged_row(file, number, line, dialect)
                strange = strange or number
            heading.append(line)
            parted = True
            continue
        if not blocks or (parted and not blocks[-1].continues_with(row)):
            above = lines[number - 2] if number > 1 else ""
            if not _COMMENT.match(above) and len(above.split(dialect.delimiter)) == len(row):
                _refuse_damaged_row(file, number - 1, above, dialect)
            blocks.append(_Block(heading))
            heading = []
        elif strange is not None:
            raise UsageError(
                f"words within the spectrum: {lines[strange - 1].strip()[:60]!r}",
                where=f"{file}, line {strange}",
                try_="remove this line, or mark it as a comment with #",
            )
        elif len(row) != len(blocks[-1].rows[-1]):
            raise UsageError(
                f"{len(row)} columns where the lines above have {len(blocks[-1].rows[-1])}",
                where=f"{file}, line {number}",
                try_=_EXPORT_AGAIN,
            )
        blocks[-1].rows.append(row)
        blocks[-1].lines.append(number)
        strange, parted = None, False
    return blocks


def _refuse_damaged_row(file: Path, number: int, line: str, dialect: Dialect) -> None:
    """A line beside rows of numbers that begins with a number is one of them, damaged; others are words."""
    cells = dialect.split(line)
    if not cells or dialect.number(cells[0]) is None:
        return
    bad = next((cell for cell in cells[1:] if dialect.number(cell) is None), None)
    what = "one number in a line; a spectrum has two columns" if bad is None else f"{bad!r} is not a number"
    raise UsageError(what, where=f"{file}, line {number}", try_="repair this row or export the spectrum again")


def _take_columns(block: _Block, dialect: Dialect) -> UncheckedSpectrum:
    values = np.asarray(block.rows, dtype=np.float64)
    titles = _column_titles(block.heading, values.shape[1], dialect)
    energy, scale = _find_energy(titles)
    transmission = _find(titles, _TRANSMISSION, {energy})
    intensity = _find_intensity(titles, values.shape[1], {energy, transmission})
    statement = EnergyStatement(scale=scale).over(statement_in_words(block.heading))
    names = [found.group(1).strip() for line in block.heading if (found := _REGION.match(line))]
    unread = [titles[i] if titles else f"column {i + 1}" for i in range(values.shape[1])]
    unread = [title for i, title in enumerate(unread) if i not in (energy, intensity, transmission)]
    return UncheckedSpectrum(
        name=names[-1] if names else None,
        columns=Columns(
            values[:, energy],
            values[:, intensity],
            None if transmission is None else values[:, transmission],
            [f"line {line}" for line in block.lines],
        ),
        statement=_with_both_scales(statement, titles, values),
        remarks=(f"columns not read: {', '.join(unread)}",) if unread else (),
    )


def _column_titles(heading: Sequence[str], width: int, dialect: Dialect) -> list[str]:
    """Titles of the columns: the last line above them with as many cells; empty where there is none.

    Free text (a comment, or words parted by blanks) counts only if it names an energy and an intensity.
    """
    for line in reversed(heading):
        bare = _COMMENT.sub("", line, count=1).strip()
        ways = [dialect.split(bare)] if dialect.delimiter else [bare.split(), re.split(r"\t+|\s{2,}", bare)]
        for cells in ways:
            worded = len(cells) == width and any(re.search("[A-Za-z]", cell) for cell in cells)
            if worded and (_names_both(cells) or (dialect.delimiter and not _COMMENT.match(line))):
                return cells
    return []


def _names_both(titles: Sequence[str]) -> bool:
    energy = next((i for i, title in enumerate(titles) if _ENERGY.search(title) or scale_in_words(title)), None)
    return energy is not None and _find(titles, _INTENSITY, {energy}) is not None


def _find_energy(titles: Sequence[str]) -> tuple[int, Scale | None]:
    for wanted in ("kinetic", "binding"):
        for index, title in enumerate(titles):
            if scale_in_words(title) == wanted:
                return index, scale_in_words(title)
    return _find(titles, _ENERGY, set()) or 0, None


def _find(titles: Sequence[str], words: re.Pattern[str], taken: set[int]) -> int | None:
    return next((i for i, title in enumerate(titles) if i not in taken and words.search(title)), None)


def _find_intensity(titles: Sequence[str], width: int, taken: set[int | None]) -> int:
    named = _find(titles, _INTENSITY, {i for i in taken if i is not None})
    if named is not None:
        return named
    free = [i for i in range(width) if i not in taken and not (titles and scale_in_words(titles[i]))]
    return free[0] if free else next(i for i in range(width) if i not in taken)


def _with_both_scales(
    statement: EnergyStatement, titles: Sequence[str], values: NDArray[np.float64]
) -> EnergyStatement:
    """A table with kinetic and binding energies side by side tells the photon energy: hν = KE + BE."""
    columns = {scale_in_words(title): index for index, title in reversed(list(enumerate(titles)))}
    if statement.photon_energy_eV is not None or not {"kinetic", "binding"} <= columns.keys():
        return statement
    total = values[:, columns["kinetic"]] + values[:, columns["binding"]]
    if np.ptp(total) > 0.5:
        return statement
    return EnergyStatement(photon_energy_eV=float(np.median(total))).over(statement)
