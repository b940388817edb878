"""The blocks of a VAMAS file (ISO 14976:1998; Dench et al., Surf. Interface Anal. 13, 63, 1988), read line by line.

All experiment modes with spectra, REGULAR and IRREGULAR scans, items inherited from the first block, and entries that
later versions of the format may add. A block is a sequence of forty numbered items; some stand only in some modes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.spectra.measured.vamas_header import VamasHeader, VamasLines, read_header

UNSPECIFIED = 1e36
"""1E37 stands for a value that nobody entered."""

_DEPTH_PROFILES = ("MAPDP", "MAPSVDP", "SDP", "SDPSV")
_MAPS = ("MAP", "MAPDP", "MAPSV", "MAPSVDP", "SEM")
_ION_TECHNIQUES = ("FABMS", "FABMS energy spec", "ISS", "SIMS", "SIMS energy spec", "SNMS", "SNMS energy spec")
_SPUTTERED_TECHNIQUES = ("AES diff", "AES dir", "EDX", "ELS", "UPS", "XPS", "XRF")


@dataclass(frozen=True)
class Variable:
    """One quantity of a block: the abscissa's partners, or in an IRREGULAR scan the abscissa too."""

    label: str
    unit: str


@dataclass(frozen=True)
class VamasBlock:
    """One block. `values` is (points, variables); `first_line` is the line of the first value, 0 if not known."""

    name: str
    sample: str
    technique: str
    comment: tuple[str, ...]
    source_label: str
    source_energy_eV: float
    work_function_eV: float
    abscissa: tuple[str, str, float, float] | None
    variables: tuple[Variable, ...]
    values: NDArray[np.float64]
    first_line: int = 0


@dataclass
class _Items:
    """The items of the block being read; one that is left out keeps the first block's value."""

    header: VamasHeader
    comment: tuple[str, ...] = ()
    technique: str = ""
    source_label: str = ""
    source_energy_eV: float = 0.0
    work_function_eV: float = 0.0
    abscissa: tuple[str, str, float, float] | None = None
    variables: tuple[Variable, ...] = ()


_ReadItem = Callable[[VamasLines, _Items], object]


def _skip(lines: int) -> _ReadItem:
    return lambda reading, items: reading.words(lines)


def _skip_if(lines: int, stands: Callable[[_Items], bool]) -> _ReadItem:
    return lambda reading, items: reading.words(lines if stands(items) else 0)


def _read_comment(reading: VamasLines, items: _Items) -> None:
    items.comment = reading.words(reading.count("the number of lines of the block's comment"))


def _read_technique(reading: VamasLines, items: _Items) -> None:
    items.technique = reading.word()


def _read_source_label(reading: VamasLines, items: _Items) -> None:
    items.source_label = reading.word()


def _read_source_energy(reading: VamasLines, items: _Items) -> None:
    items.source_energy_eV = reading.number("the energy of the source")


def _read_work_function(reading: VamasLines, items: _Items) -> None:
    items.work_function_eV = reading.number("the analyser's work function")


def _read_abscissa(reading: VamasLines, items: _Items) -> None:
    if items.header.scan_mode == "REGULAR":
        label, unit = reading.words(2)
        items.abscissa = (label, unit, reading.number("the first energy"), reading.number("the energy step"))


def _read_variables(reading: VamasLines, items: _Items) -> None:
    count = reading.count("the number of corresponding variables")
    items.variables = tuple(Variable(*reading.words(2)) for _ in range(count))


def _skip_parameters(reading: VamasLines, items: _Items) -> None:
    reading.words(3 * reading.count("the number of additional numerical parameters"))


_ITEMS: tuple[_ReadItem, ...] = (
    *[_skip(1)] * 7,  # 1–7: year to second, hours ahead of Greenwich
    _read_comment,
    _read_technique,
    _skip_if(2, lambda items: items.header.experiment_mode in ("MAP", "MAPDP")),  # 10: place in the map
    lambda reading, items: reading.words(items.header.experiment_variables),  # 11
    _read_source_label,
    _skip_if(  # 13: sputtering particle
        3, lambda items: items.header.experiment_mode in _DEPTH_PROFILES or items.technique in _ION_TECHNIQUES
    ),
    _read_source_energy,
    _skip(1),  # 15: source strength
    _skip(2),  # 16: beam width
    _skip_if(2, lambda items: items.header.experiment_mode in _MAPS),  # 17: field of view
    _skip_if(6, lambda items: items.header.experiment_mode in ("MAPSV", "MAPSVDP", "SEM")),  # 18: line scan
    _skip(1),  # 19: angle of incidence
    _skip(1),  # 20: azimuth
    _skip(1),  # 21: analyser mode
    _skip(1),  # 22: pass energy
    _skip_if(1, lambda items: items.technique == "AES diff"),  # 23: differential width
    _skip(1),  # 24: magnification
    _read_work_function,
    _skip(1),  # 26: target bias
    _skip(2),  # 27: analysis width
    _skip(2),  # 28: take-off angles
    _skip(1),  # 29: species
    _skip(2),  # 30: transition, charge of the particle
    _read_abscissa,
    _read_variables,
    _skip(1),  # 33: signal mode
    _skip(1),  # 34: collection time
    _skip(1),  # 35: scans
    _skip(1),  # 36: time correction
    _skip_if(  # 37: sputtering source
        7,
        lambda items: items.header.experiment_mode in _DEPTH_PROFILES and items.technique in _SPUTTERED_TECHNIQUES,
    ),
    _skip(2),  # 38: tilt
    _skip(1),  # 39: rotation
    _skip_parameters,
)


def read_blocks(file: Path, lines: Sequence[str]) -> list[VamasBlock]:
    """All blocks of a file. Raises UsageError naming the line where it departs from the format."""
    header, at = read_header(file, lines)
    if header.scan_mode not in ("REGULAR", "IRREGULAR"):
        raise UsageError(
            f"a {header.scan_mode} scan holds images, not spectra",
            where=str(file),
            try_="export the spectra of the map, scan mode REGULAR",
        )
    reading = VamasLines(file, lines, at)
    items = _Items(header)
    blocks: list[VamasBlock] = []
    for number in range(header.blocks):
        blocks.append(_read_block(reading, items, frozenset(range(1, 41)) if number == 0 else header.included))
    return blocks


def _read_block(reading: VamasLines, items: _Items, present: frozenset[int]) -> VamasBlock:
    name, sample = reading.words(2)
    for number, read_item in enumerate(_ITEMS, 1):
        if number in present:
            read_item(reading, items)
    reading.words(items.header.future_block_entries)
    count = reading.count("the number of ordinate values")
    reading.words(2 * len(items.variables))
    if not items.variables or count % len(items.variables):
        raise reading.fault(f"{count} values cannot be shared among {len(items.variables)} variables")
    first_line = reading.at + 1
    values = [reading.number("a value of the spectrum") for _ in range(count)]
    return VamasBlock(
        name=name,
        sample=sample,
        technique=items.technique,
        comment=items.comment,
        source_label=items.source_label,
        source_energy_eV=items.source_energy_eV,
        work_function_eV=items.work_function_eV,
        abscissa=items.abscissa,
        variables=items.variables,
        values=np.asarray(values, dtype=np.float64).reshape(-1, len(items.variables)),
        first_line=first_line,
    )
