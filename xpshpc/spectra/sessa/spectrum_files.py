"""SESSA's spectra on disk: `.spc` of MODEL SAVE SPECTRA and `.dat` of PLOT SAVE DATA, read and written."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.spectra.sessa.grammar import REGION_POINTS

_RULE = "#" + "=" * 106
_DAT_HEADER = (
    "# format  : curve #1.x (tab) curve #1.y (tab) curve #2.x (tab) curve #2.y (tab) ...",
    "# title   : Simulated Spectrum",
    "# abscissa: Energy [eV]",
    "# ordinate: Intensity [counts]",
    _RULE,
    "# Curve #1 (x,y): Config ##: 1",
    "# Reference: {reference}",
    "# Reliability: ",
    "# Remarks: {remarks}",
    _RULE,
)
_SPC_HEADER = "Energy [eV]  Intensity"
_STEP_TOLERANCE = 0.02
"""Of a step: energies are written with seven digits, which is up to a hundredth of a step of a survey."""


@dataclass(frozen=True)
class RegionSpectrum:
    """Intensities at kinetic energies (eV) that rise evenly, both (points,)."""

    energy_eV: NDArray[np.float64]
    intensity: NDArray[np.float64]


def region_axis(low_eV: float, high_eV: float) -> NDArray[np.float64]:
    """Energies of a region's points: evenly spaced from its lower end, the upper end left out."""
    return low_eV + (high_eV - low_eV) / REGION_POINTS * np.arange(REGION_POINTS, dtype=np.float64)


def read_spc(path: Path, region_eV: tuple[float, float]) -> RegionSpectrum:
    """Reads the spectrum of a region from what MODEL SAVE SPECTRA wrote.

    Raises UsageError, with the line, for a file that is cut short or too long, for what is no finite number, and for
    energies that are not the region's.
    """
    lines = _text(path).splitlines()
    rows = list(_rows(path, lines, first=2, columns=2))
    return _checked(path, rows, len(lines), region_axis(*region_eV))


def read_dat(path: Path) -> RegionSpectrum:
    """Reads what PLOT SAVE DATA wrote; raises UsageError as `read_spc` does."""
    lines = _text(path).splitlines()
    first = next((place for place, line in enumerate(lines, start=1) if not line.startswith("#")), len(lines) + 1)
    rows = list(_rows(path, lines, first=first, columns=2))
    if len(rows) < 2:
        raise _fault(path, len(lines), "the file holds no spectrum")
    low, last = rows[0][1][0], rows[-1][1][0]
    return _checked(path, rows, len(lines), np.linspace(low, last, REGION_POINTS))


def write_spc(path: Path, spectrum: RegionSpectrum) -> None:
    """Writes a region as MODEL SAVE SPECTRA does."""
    pairs = zip(spectrum.energy_eV.tolist(), spectrum.intensity.tolist(), strict=True)
    rows = [f"{energy:.6e} {value:.6e}" for energy, value in pairs]
    path.write_text("\n".join([_SPC_HEADER, *rows, ""]), encoding="utf-8")


def write_dat(path: Path, spectrum: RegionSpectrum, *, reference: str, remarks: str = "") -> None:
    """Writes a curve as PLOT SAVE DATA does: line ends of Windows, exponents of three digits, a tab after each value.

    `reference` and `remarks` go into the header's lines of these names.
    """
    header = [line.format(reference=reference, remarks=remarks) for line in _DAT_HEADER]
    pairs = zip(spectrum.energy_eV.tolist(), spectrum.intensity.tolist(), strict=True)
    rows = [f"{_three_digits(energy)}\t{_three_digits(value)}\t" for energy, value in pairs]
    path.write_bytes("\r\n".join([*header, *rows, ""]).encode())


def _three_digits(value: float) -> str:
    mantissa, exponent = f"{value:.6e}".split("e")
    return f"{mantissa}e{exponent[0]}{int(exponent[1:]):03d}"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from None


def _rows(path: Path, lines: list[str], *, first: int, columns: int) -> Iterator[tuple[int, list[float]]]:
    """The numbers of each line from line number `first` (from 1) on, with the line's number."""
    for number, line in enumerate(lines[first - 1 :], start=first):
        fields = line.split()
        if not fields:
            continue
        try:
            values = [float(entry) for entry in fields]
        except ValueError:
            raise _fault(path, number, f"{line.strip()[:60]!r} is no row of numbers") from None
        if len(values) != columns:
            raise _fault(path, number, f"{len(values)} numbers where {columns} belong")
        if not all(map(math.isfinite, values)):
            raise _fault(path, number, f"{line.strip()[:60]!r} is not finite")
        yield number, values


def _checked(path: Path, rows: list[tuple[int, list[float]]], lines: int, axis: NDArray[np.float64]) -> RegionSpectrum:
    if len(rows) != REGION_POINTS:
        raise _fault(path, lines, f"{len(rows)} points where a region has {REGION_POINTS}")
    values = np.array([row for _, row in rows])
    step = axis[1] - axis[0]
    digits = 10.0 ** (math.floor(math.log10(axis[-1])) - 6) if axis[-1] > 0 else 0.0
    off = np.flatnonzero(~(np.abs(values[:, 0] - axis) <= _STEP_TOLERANCE * step + digits))
    if off.size:
        place = int(off[0])
        raise _fault(path, rows[place][0], f"energy {values[place, 0]:g} eV where the region has {axis[place]:g} eV")
    return RegionSpectrum(values[:, 0], values[:, 1])


def _fault(path: Path, line: int, what: str) -> UsageError:
    return UsageError(what, where=f"{path}, line {line}", try_="let SESSA write the file again")
