"""What PROJECT SAVE OUTPUT tells: the list of peaks, and the parameters of each peak's electrons in each layer."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xpshpc.errors import UsageError
from xpshpc.spectra.sessa.grammar import PEAKS_HEADER_LINES, TAGGED

_RULE = "-" * 80
_COUNT = re.compile(r":\s*(\d+)\s*$")
_TAGGED_VALUE = re.compile(r"(\S+?)\s*(?:\[\s*(\d+)\s*\])?")
_COLUMNS = {"lay": "", "peak_no": "", "peak_id": "", "energy": "eV", "imfp": "A", "trmfp": "A"}
_PAR_HEADER = "#lay |peak_no |peak_id |Energy [eV] |IMFP [A] |TRMFP [A] |SEP [sqrt(1/eV)]|"


@dataclass(frozen=True)
class Peak:
    """A peak of SESSA's list, by its number (from 1): element, chemical state ("" for none), orbital, energy (eV)."""

    number: int
    element: str
    state: str
    orbital: str
    kinetic_energy_eV: float
    kind: str = "XPS"


@dataclass(frozen=True)
class PeakTransport:
    """A peak's electrons in one layer (from 1): inelastic and transport mean free path (Å), surface excitation
    parameter (eV^-½)."""

    layer: int
    peak: int
    peak_id: str
    energy_eV: float
    imfp_A: float
    trmfp_A: float
    surface_excitation: float = 0.0


def read_peaks(path: Path) -> tuple[Peak, ...]:
    """The peaks of `…sam_peak.txt`. Raises UsageError, with the line, for a file that is not whole."""
    lines = _lines(path)
    count = _COUNT.search(lines[1]) if len(lines) > 1 else None
    if count is None:
        raise _fault(path, 2, "the number of peaks is missing")
    number = int(count.group(1))
    rows = lines[PEAKS_HEADER_LINES : PEAKS_HEADER_LINES + number]
    if len(rows) < number or not any(line.startswith(_RULE) for line in lines[PEAKS_HEADER_LINES + number :]):
        raise _fault(path, len(lines), f"the file ends before its {number} peaks do")
    return tuple(
        _peak(path, place, line, expected)
        for expected, (place, line) in enumerate(enumerate(rows, start=PEAKS_HEADER_LINES + 1), start=1)
    )


def _peak(path: Path, place: int, line: str, expected: int) -> Peak:
    fields = line.split()
    tagged = TAGGED.fullmatch(fields[1]) if len(fields) >= 5 else None
    if tagged is None or fields[0] != str(expected):
        raise _fault(path, place, f"{line.strip()[:60]!r} is not peak {expected}")
    element, state = tagged.groups()
    energy = _number(path, place, fields[3])
    return Peak(expected, element.capitalize(), state or "", fields[2], energy, fields[4])


def write_peaks(path: Path, peaks: Sequence[Peak]) -> None:
    """Writes `…sam_peak.txt`. Each row ends with the intensity's place, as SESSA's have a last column of their own."""
    rows = [
        f"{peak.number:4d}  {named(peak.element, peak.state):<12} {peak.orbital:<10} "
        f"{peak.kinetic_energy_eV:12.4f}  {peak.kind:<5} 1"
        for peak in peaks
    ]
    header = [
        "Peaks of the sample",
        f"Number of peaks : {len(peaks)}",
        " num  Element  Orbital  Energy [eV]  type  subpeaks",
    ]
    path.write_text("\n".join([*header, _RULE, *rows, _RULE, ""]), encoding="utf-8")


def named(element: str, state: str) -> str:
    """An element with its chemical state as SESSA writes it: Si[SiO2]."""
    return f"{element}[{state}]" if state else element


def read_parameters(path: Path) -> tuple[PeakTransport, ...]:
    """The rows of `…sam_par.txt`, columns by their names in the header; other columns are passed over.

    Raises UsageError, with the line, for a missing column, another unit, or what is no finite number.
    """
    lines = _lines(path)
    start = next((place for place, line in enumerate(lines) if line.lstrip().lower().startswith("#lay")), None)
    if start is None:
        raise _fault(path, len(lines), "the line of column names, which begins with #lay, is missing")
    columns: dict[str, int] = {}
    for place, cell in enumerate(_cells(lines[start])):
        name, _, unit = cell.lstrip("#").partition("[")
        name, unit = name.strip().lower(), unit.rstrip("] ")
        columns[name] = place
        if _COLUMNS.get(name, unit) != unit:
            raise _fault(path, start + 1, f"column {name!r} is in {unit!r}, not in {_COLUMNS[name]!r}")
    missing = [name for name in _COLUMNS if name not in columns]
    if missing:
        raise _fault(path, start + 1, f"column(s) {', '.join(missing)} missing")
    return tuple(
        _parameters(path, place, _cells(line), columns)
        for place, line in enumerate(lines[start + 1 :], start=start + 2)
        if line.strip() and not line.startswith(("#", "-"))
    )


def _parameters(path: Path, place: int, cells: list[str], columns: dict[str, int]) -> PeakTransport:
    if len(cells) != len(columns):
        raise _fault(path, place, f"{len(cells)} columns where {len(columns)} belong")

    def figure(name: str) -> float:
        tagged = _TAGGED_VALUE.fullmatch(cells[columns[name]])
        return _number(path, place, tagged.group(1) if tagged else cells[columns[name]])

    return PeakTransport(
        int(figure("lay")),
        int(figure("peak_no")),
        cells[columns["peak_id"]],
        figure("energy"),
        figure("imfp"),
        figure("trmfp"),
        figure("sep") if "sep" in columns else 0.0,
    )


def write_parameters(path: Path, rows: Sequence[PeakTransport]) -> None:
    """Writes `…sam_par.txt`; the numbers in brackets point to the remarks. No EMFP: it is not known here."""
    lines = [
        f"{row.layer:4d} |{row.peak:7d} |{row.peak_id:<8} |{row.energy_eV:11.4f} |{row.imfp_A:10.5f} [  1] "
        f"|{row.trmfp_A:10.5f} [  2] |{row.surface_excitation:8.5f} [  3]|"
        for row in rows
    ]
    path.write_text("\n".join([_PAR_HEADER, *lines, ""]), encoding="utf-8")


def _cells(line: str) -> list[str]:
    cells = [cell.strip() for cell in line.split("|")]
    return cells[:-1] if cells and not cells[-1] else cells


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from None


def _number(path: Path, place: int, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise _fault(path, place, f"{text!r} is no number") from None
    if not math.isfinite(number):
        raise _fault(path, place, f"{text!r} is not finite")
    return number


def _fault(path: Path, line: int, what: str) -> UsageError:
    return UsageError(what, where=f"{path}, line {line}", try_="let SESSA write the file again")
