"""Spectra of VAMAS files: which variable is the energy, which the counts, which the analyser's transmission."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.spectra.measured.scale import EnergyStatement, scale_in_words, source_line_energy
from xpshpc.spectra.measured.spectrum import Columns, UncheckedSpectrum
from xpshpc.spectra.measured.vamas_blocks import UNSPECIFIED, VamasBlock, Variable, read_blocks
from xpshpc.spectra.measured.vamas_header import VamasHeader, read_header

_ENERGY = re.compile(r"energy", re.IGNORECASE)
_TRANSMISSION = re.compile(r"transmission", re.IGNORECASE)


def read_vamas(file: Path, lines: Sequence[str]) -> list[UncheckedSpectrum]:
    """The photoelectron spectra among the blocks of a VAMAS file.

    Raises UsageError where the file departs from the format or has no XPS spectrum.
    """
    header, _ = read_header(file, lines)
    blocks = _read_by_library(lines) if library_reads(header) else None
    if blocks is None:
        blocks = read_blocks(file, lines)
    photoelectrons = [block for block in blocks if block.technique.upper() == "XPS"]
    if not photoelectrons:
        techniques = ", ".join(sorted({block.technique or "unnamed" for block in blocks})) or "no blocks"
        raise UsageError(
            f"no XPS spectrum in this VAMAS file ({techniques})", where=str(file), try_="give a file with an XPS survey"
        )
    return [_take_spectrum(file, block) for block in photoelectrons]


def library_reads(header: VamasHeader) -> bool:
    """Whether the `vamas` package reads files of this kind right.

    It has no IRREGULAR scans, misplaces inherited items, and knows neither XPS depth profiles nor entries added later.
    """
    return (
        header.experiment_mode == "NORM"
        and header.scan_mode == "REGULAR"
        and header.included == frozenset(range(1, 41))
        and not (header.manually_entered or header.future_experiment_entries or header.future_block_entries)
    )


def _read_by_library(lines: Sequence[str]) -> list[VamasBlock] | None:
    """The blocks as the library reads them; None where it stumbles, for our own reader can then name the line."""
    import vamas

    start = next(number for number, line in enumerate(lines) if line.strip())
    try:
        found = vamas.Vamas("\n".join(lines[start:]).encode()).blocks
        return [_from_library(block) for block in found]
    except (ValueError, StopIteration, IndexError, KeyError, ZeroDivisionError):
        return None


def _from_library(block: Any) -> VamasBlock:
    return VamasBlock(
        name=block.block_identifier,
        sample=block.sample_identifier,
        technique=block.technique,
        comment=tuple(block.block_comment.split("\n")) if block.block_comment else (),
        source_label=block.analysis_source_label,
        source_energy_eV=block.analysis_source_characteristic_energy,
        work_function_eV=block.analyzer_work_function_or_acceptance_energy,
        abscissa=(block.x_label, block.x_units, block.x_start, block.x_step),
        variables=tuple(Variable(one.label, one.unit) for one in block.corresponding_variables),
        values=np.array([one.y_values for one in block.corresponding_variables], dtype=np.float64).T,
    )


def _take_spectrum(file: Path, block: VamasBlock) -> UncheckedSpectrum:
    label, energy, taken = _find_energy(file, block)
    transmission = _find_variable(block, _TRANSMISSION, taken)
    free = [i for i in range(len(block.variables)) if i not in taken and i != transmission]
    if not free:
        raise UsageError(
            f"the block {block.name!r} has no counts, only {', '.join(one.label for one in block.variables)}",
            where=str(file),
            try_="export the spectrum again with its intensity",
        )
    remarks = []
    if len(free) > 1:
        unread = ", ".join(block.variables[i].label for i in free[1:])
        remarks.append(f"{block.variables[free[0]].label} taken as the intensity; not read: {unread}")
    photon_energy = _stated(block.source_energy_eV)
    if photon_energy is None and (photon_energy := source_line_energy(block.source_label)) is not None:
        remarks.append(f"photon energy {photon_energy:g} eV by the source's name, {block.source_label!r}")
    intensity = block.values[:, free[0]]
    return UncheckedSpectrum(
        name=_name(block),
        columns=Columns(energy, intensity, _transmission(block, transmission), _places(block, len(intensity))),
        statement=EnergyStatement(scale_in_words(label), photon_energy, _stated(block.work_function_eV)),
        remarks=tuple(remarks),
    )


def _find_energy(file: Path, block: VamasBlock) -> tuple[str, NDArray[np.float64], set[int]]:
    """Label and values of the energy axis, and the variables that it uses up."""
    if block.abscissa is not None:
        label, unit, start, step = block.abscissa
        energy = start + step * np.arange(len(block.values), dtype=np.float64)
        taken: set[int] = set()
    else:
        found = _find_variable(block, _ENERGY, taken=set())
        index = 0 if found is None else found
        label, unit = block.variables[index].label, block.variables[index].unit
        energy, taken = block.values[:, index], {index}
    if unit not in ("eV", "d", "n", ""):
        raise UsageError(
            f"the block {block.name!r} runs over {label or 'its abscissa'} in {unit}, not over energy in eV",
            where=str(file),
            try_="give a file with an XPS survey",
        )
    return label, energy, taken


def _find_variable(block: VamasBlock, words: re.Pattern[str], taken: set[int]) -> int | None:
    matching = (i for i, one in enumerate(block.variables) if i not in taken and words.search(one.label))
    return next(matching, None)


def _transmission(block: VamasBlock, index: int | None) -> NDArray[np.float64] | None:
    if index is None or not np.all(np.abs(block.values[:, index]) < UNSPECIFIED):
        return None
    return block.values[:, index]


def _stated(value: float) -> float | None:
    return value if 0 < value < UNSPECIFIED else None


def _name(block: VamasBlock) -> str | None:
    parts = [part for part in (block.sample, block.name) if part and part.lower() != "not specified"]
    return ", ".join(dict.fromkeys(parts)) or None


def _places(block: VamasBlock, points: int) -> list[str]:
    if block.first_line:
        return [f"line {block.first_line + row * len(block.variables)}" for row in range(points)]
    return [f"{block.name!r}, point {row + 1}" for row in range(points)]
