"""The lines by which an element is known in a survey: the few that stand out, to be marked in a figure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpshpc.spectra.elements import ELEMENT_INDEX
from xpshpc.spectra.lines.line_table import LineKind, LineTable

MOST_LINES = 4
LEAST_HEIGHT = 0.12
"""Lines lower than this share of the element's highest are not marked."""

CLOSEST_eV = 8.0
"""Lines nearer than this look like one in a survey; the higher one gives its name."""

UNRESOLVED_eV = 2.5
"""Closer partners of a doublet are one peak in a survey."""

_SURVEY_FWHM_eV = 1.5
_AUGER = re.compile(r"([A-Z])\d*([A-Z])\d*([A-Z])\d*(?: .*)?")


@dataclass(frozen=True)
class LineMark:
    """A line of an element: orbital ("2p3/2", or "2p" for both) or Auger group ("LMM"), and kinetic energy in eV."""

    element: str
    orbital: str
    kinetic_energy_eV: float


def choose_marks(
    table: LineTable, elements: Sequence[str], low_eV: float, high_eV: float, *, most: int = MOST_LINES
) -> list[LineMark]:
    """The highest lines of each element between two kinetic energies, element by element, the highest first."""
    within = table.within(low_eV, high_eV)
    marks: list[LineMark] = []
    for element in elements:
        place = ELEMENT_INDEX[element]
        own = np.flatnonzero((within.element == place) & (within.kind != LineKind.SHAKE_UP))
        energy, orbitals = within.kinetic_energy_eV[own], [within.orbital[line] for line in own]
        height = _heights(within, own)
        chosen: list[LineMark] = []
        for line in np.argsort(-height, kind="stable"):
            if len(chosen) == most or height[line] < LEAST_HEIGHT * height.max():
                break
            near = [orbitals[i] for i in np.flatnonzero(np.abs(energy - energy[line]) < UNRESOLVED_eV)]
            mark = LineMark(element, _survey_name(orbitals[line], near), float(energy[line]))
            if not any(_looks_like(mark, other) for other in chosen):
                chosen.append(mark)
        marks.extend(chosen)
    return marks


def _heights(table: LineTable, own: NDArray[np.intp]) -> NDArray[np.float64]:
    """How high an element's spectrum stands at each of its lines, with the neighbours that overlap, (lines,)."""
    energy = table.kinetic_energy_eV[own]
    width = np.hypot(_SURVEY_FWHM_eV, table.gauss_fwhm_eV[own]) + table.lorentz_fwhm_eV[own] + table.band_eV[own]
    overlap = np.exp2(-((2 * (energy[:, None] - energy[None, :]) / width[None, :]) ** 2))
    heights: NDArray[np.float64] = overlap @ (table.cross_section_barn[own] / width)
    return heights


def _survey_name(orbital: str, near: Sequence[str]) -> str:
    """The name a survey can tell: an Auger group's shells (LMM), and one name for a doublet that is one peak (2p)."""
    found = _AUGER.fullmatch(orbital)
    if found:
        return "".join(found.groups())
    return orbital[:2] if any(other != orbital and other[:2] == orbital[:2] for other in near) else orbital


def _looks_like(mark: LineMark, other: LineMark) -> bool:
    near = abs(mark.kinetic_energy_eV - other.kinetic_energy_eV) < CLOSEST_eV
    return near or (mark.orbital == other.orbital and mark.orbital.isalpha())
