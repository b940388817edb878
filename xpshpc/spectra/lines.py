"""Every line that an X-ray source excites in the 80 elements: where it stands, how strong and how wide it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.spectra.auger import auger_lines
from xpshpc.spectra.elements import ATOMIC_NUMBERS, ELEMENTS
from xpshpc.spectra.sources import XraySource, xray_sources
from xpshpc.spectra.tables import read_table

ORBITALS = {
    "K": "1s", "L1": "2s", "L2": "2p1/2", "L3": "2p3/2",
    "M1": "3s", "M2": "3p1/2", "M3": "3p3/2", "M4": "3d3/2", "M5": "3d5/2",
    "N1": "4s", "N2": "4p1/2", "N3": "4p3/2", "N4": "4d3/2", "N5": "4d5/2", "N6": "4f5/2", "N7": "4f7/2",
    "O1": "5s", "O2": "5p1/2", "O3": "5p3/2", "O4": "5d3/2", "O5": "5d5/2",
    "P1": "6s", "P2": "6p1/2", "P3": "6p3/2",
}  # fmt: skip
"""Orbital by X-ray name of the subshell."""

_DOUBLET_PARTNER = {"L3": "L2", "M3": "M2", "M5": "M4", "N3": "N2", "N5": "N4", "N7": "N6"}
_VALENCE_EDGE_EV = 12.0
_VALENCE_BAND_FWHM_EV = 4.0


@dataclass(frozen=True)
class LineTable:
    """All lines of all elements, ordered by element; every array is (lines,).

    `kinetic_energy_eV` refers to the Fermi level; `binding_energy_eV` is hν − KE (for Auger lines the place in the
    spectrum, not a level). `cross_section_barn` is the subshell's, all its electrons together; for an Auger line that
    of the vacancies it comes from times its share of their decay. `asymmetry` is β of the dipole approximation.
    `lorentz_fwhm_eV` is the life-time width, `gauss_fwhm_eV` what the group or band is wide by itself.
    """

    source: XraySource
    element: NDArray[np.intp]
    orbital: tuple[str, ...]
    kinetic_energy_eV: NDArray[np.float64]
    cross_section_barn: NDArray[np.float64]
    asymmetry: NDArray[np.float64]
    lorentz_fwhm_eV: NDArray[np.float64]
    gauss_fwhm_eV: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.orbital)

    @property
    def binding_energy_eV(self) -> NDArray[np.float64]:
        return self.source.photon_energy_eV - self.kinetic_energy_eV

    @cached_property
    def first(self) -> NDArray[np.intp]:
        """Where each element's lines begin, (81,): element e has lines first[e] to first[e + 1]."""
        return np.searchsorted(self.element, np.arange(len(ELEMENTS) + 1))

    def within(self, low_eV: float, high_eV: float) -> LineTable:
        """The lines whose kinetic energy lies between two bounds."""
        keep = np.flatnonzero((self.kinetic_energy_eV >= low_eV) & (self.kinetic_energy_eV <= high_eV))
        return LineTable(
            self.source,
            self.element[keep],
            tuple(self.orbital[place] for place in keep),
            self.kinetic_energy_eV[keep],
            self.cross_section_barn[keep],
            self.asymmetry[keep],
            self.lorentz_fwhm_eV[keep],
            self.gauss_fwhm_eV[keep],
        )


@dataclass(frozen=True)
class Subshell:
    """One occupied subshell of an element: X-ray name, binding energy (eV), cross-section (barn), β, width (eV)."""

    shell: str
    binding_energy_eV: float
    cross_section_barn: float
    asymmetry: float
    lorentz_fwhm_eV: float


@cache
def line_table(source_name: str) -> LineTable:
    """The photoelectron and Auger lines that a source excites; raises UsageError for an unknown source."""
    sources = xray_sources()
    if source_name not in sources:
        raise UsageError(f"unknown X-ray source {source_name!r}", try_=f"one of {', '.join(sources)}")
    source = sources[source_name]
    shells = [subshells(symbol, source_name) for symbol in ELEMENTS]
    levels = binding_energies()
    places: list[int] = []
    orbitals: list[str] = []
    figures: list[tuple[float, float, float, float, float]] = []
    for place, symbol in enumerate(ELEMENTS):
        for level in shells[place]:
            energy = source.photon_energy_eV - level.binding_energy_eV
            band = _VALENCE_BAND_FWHM_EV if level.binding_energy_eV < _VALENCE_EDGE_EV else 0.0
            places.append(place)
            orbitals.append(ORBITALS[level.shell])
            figures.append((energy, level.cross_section_barn, level.asymmetry, level.lorentz_fwhm_eV, band))
        vacancies = {level.shell: level.cross_section_barn for level in shells[place]}
        for auger in auger_lines(symbol, vacancies, levels):
            places.append(place)
            orbitals.append(auger.group)
            figures.append((auger.kinetic_energy_eV, auger.cross_section_barn, 0.0, 0.0, auger.fwhm_eV))
    return LineTable(source, np.array(places, dtype=np.intp), tuple(orbitals), *np.array(figures).T)


def subshells(symbol: str, source_name: str) -> list[Subshell]:
    """The subshells of an element that a source can ionise.

    Cross-sections: Scofield's (UCRL-51326, 1973, 10.2172/4545040) by xraylib, which gives them per electron, so the
    occupancy is multiplied in. β: Herman–Skillman potentials with Cooper–Zare's formula
    (J. Chem. Phys. 48, 942, 1968, 10.1063/1.1668742), tabulated in data/beta_HS_all.csv. Widths, through
    xraydb: Krause and Oliver (10.1063/1.555595) for K and L, Keski-Rahkonen and Krause
    (10.1016/S0092-640X(74)80020-3) for the others.
    """
    import xraydb
    import xraylib

    source = xray_sources()[source_name]
    number = ATOMIC_NUMBERS[symbol]
    widths = xraydb.core_width(symbol)
    betas = _asymmetries("MgKa" if source.photon_energy_eV < 1400 else "AlKa")
    found = []
    for shell, energy in binding_energies()[symbol].items():
        if shell not in ORBITALS or energy >= source.photon_energy_eV:
            continue
        macro = getattr(xraylib, f"{shell}_SHELL")
        try:
            sigma = xraylib.CSb_Photo_Partial(number, macro, source.photon_energy_eV / 1000)
            sigma *= xraylib.ElectronConfig(number, macro)
        except ValueError:
            continue
        beta = betas.get((symbol, ORBITALS[shell][:2]), 2.0 if ORBITALS[shell].endswith("s") else 1.0)
        found.append(Subshell(shell, energy, sigma, beta, float(widths.get(shell, 0.1))))
    return found


@cache
def binding_energies() -> dict[str, dict[str, float]]:
    """Binding energies (eV) by element and X-ray name of the subshell, Li to Po, levels above the Fermi level left out.

    From Elam, Ravel and Sieber (10.1016/S0969-806X(01)00227-4) through xraydb, corrected where
    data/binding_energy_overrides.csv says so.
    """
    import xraydb

    corrections = read_table("binding_energy_overrides.csv")
    overrides = {(row["element"], row["shell"]): float(row["binding_energy_eV"]) for row in corrections}
    levels: dict[str, dict[str, float]] = {}
    for symbol, number in ATOMIC_NUMBERS.items():
        if not 3 <= number <= 84:
            continue
        energies = {shell: edge.energy for shell, edge in xraydb.xray_edges(symbol).items() if edge.energy > 0}
        for shell in list(energies):
            if (symbol, shell) in overrides:
                moved = overrides[symbol, shell] - energies[shell]
                energies[shell] += moved
                partner = _DOUBLET_PARTNER.get(shell)
                if partner in energies:
                    energies[partner] += moved
        levels[symbol] = energies
    return levels


@cache
def _asymmetries(anode: str) -> dict[tuple[str, str], float]:
    column = {"AlKa": "beta_AlKa1486.6", "MgKa": "beta_MgKa1253.6"}[anode]
    return {(row["el"], row["nl"]): float(row[column]) for row in read_table("beta_HS_all.csv") if row[column]}
