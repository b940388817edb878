"""The levels of the elements: binding energies, life-time widths, cross-sections and asymmetries of their subshells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np

from xpshpc.spectra.elements import ATOMIC_NUMBERS
from xpshpc.spectra.lines.sources import xray_sources
from xpshpc.spectra.lines.xray_database import core_hole_widths, edge_energies
from xpshpc.spectra.tables import read_table

ORBITALS = MappingProxyType({
    "K": "1s", "L1": "2s", "L2": "2p1/2", "L3": "2p3/2",
    "M1": "3s", "M2": "3p1/2", "M3": "3p3/2", "M4": "3d3/2", "M5": "3d5/2",
    "N1": "4s", "N2": "4p1/2", "N3": "4p3/2", "N4": "4d3/2", "N5": "4d5/2", "N6": "4f5/2", "N7": "4f7/2",
    "O1": "5s", "O2": "5p1/2", "O3": "5p3/2", "O4": "5d3/2", "O5": "5d5/2",
    "P1": "6s", "P2": "6p1/2", "P3": "6p3/2",
})  # fmt: skip
"""Orbital by X-ray name of the subshell."""

DOUBLET_PARTNER = MappingProxyType(
    {"L3": "L2", "M3": "M2", "M5": "M4", "N3": "N2", "N5": "N4", "N7": "N6", "O3": "O2", "O5": "O4"}
)
"""The half of smaller j by the half of larger j."""

_UNTABULATED_WIDTH_EV = 0.1


@dataclass(frozen=True)
class Subshell:
    """One occupied subshell of an element: X-ray name, binding energy (eV), cross-section (barn), β, width (eV)."""

    shell: str
    binding_energy_eV: float
    cross_section_barn: float
    asymmetry: float
    lorentz_fwhm_eV: float


@cache
def binding_energies() -> dict[str, dict[str, float]]:
    """Binding energies (eV) by element and X-ray name of the subshell, Li to Po, levels above the Fermi level left out.

    Absorption edges, corrected where data/binding_energy_overrides.csv says so; half of a doublet that is given alone
    takes the other half along.
    """
    corrections: dict[str, dict[str, float]] = {}
    for row in read_table("binding_energy_overrides.csv"):
        corrections.setdefault(row["element"], {})[row["shell"]] = float(row["binding_energy_eV"])
    levels: dict[str, dict[str, float]] = {}
    for symbol, number in ATOMIC_NUMBERS.items():
        if not 3 <= number <= 84:
            continue
        energies = {shell: energy for shell, energy in edge_energies()[symbol].items() if energy > 0.0}
        corrected = corrections.get(symbol, {})
        for shell, partner in DOUBLET_PARTNER.items():
            if shell in corrected and shell in energies and partner in energies and partner not in corrected:
                energies[partner] += corrected[shell] - energies[shell]
        levels[symbol] = energies | corrected
    return levels


def core_levels(symbol: str, source_name: str) -> list[Subshell]:
    """The subshells of an element that have a binding energy of their own and that a source can ionise.

    Cross-sections: see `cross_section`. β: Herman–Skillman potentials with Cooper–Zare's formula (J. Chem. Phys. 48,
    942, 1968, 10.1063/1.1668742), tabulated in data/beta_HS_all.csv. Widths: those
    of the core holes, corrected where data/width_overrides.csv says so.
    """
    photon = xray_sources()[source_name].photon_energy_eV
    widths = _widths(symbol)
    found = []
    for shell, energy in binding_energies()[symbol].items():
        if shell not in ORBITALS or energy >= photon:
            continue
        sigma = cross_section(symbol, shell, photon)
        if sigma > 0.0:
            beta = asymmetry(symbol, shell, source_name)
            found.append(Subshell(shell, energy, sigma, beta, widths.get(shell, _UNTABULATED_WIDTH_EV)))
    return found


def cross_section(symbol: str, shell: str, photon_energy_eV: float) -> float:
    """Cross-section (barn) of all electrons of a subshell; 0 where it is empty or no table has it.

    Scofield's (UCRL-51326, 1973, 10.2172/4545040) by xraylib, which gives them per electron, so the occupancy is
    multiplied in. The tables have gaps (Eu 4f, Os 5d): there an electron has the geometric mean of the neighbouring
    elements' cross-sections, where both are known.
    """
    import xraylib

    number = ATOMIC_NUMBERS[symbol]
    macro = getattr(xraylib, f"{shell}_SHELL")
    try:
        electrons = float(xraylib.ElectronConfig(number, macro))
    except ValueError:
        return 0.0
    each = _per_electron(number, macro, photon_energy_eV)
    if each == 0.0:
        neighbours = [_per_electron(other, macro, photon_energy_eV) for other in (number - 1, number + 1)]
        each = float(np.sqrt(neighbours[0] * neighbours[1]))
    return electrons * each


def asymmetry(symbol: str, shell: str, source_name: str) -> float:
    """β of a subshell; 2 for an s shell and 1 for another where the table has none."""
    orbital = ORBITALS[shell]
    anode = "MgKa" if xray_sources()[source_name].photon_energy_eV < 1400.0 else "AlKa"
    return _asymmetries(anode).get((symbol, orbital[:2]), 2.0 if orbital.endswith("s") else 1.0)


def _per_electron(number: int, macro: int, photon_energy_eV: float) -> float:
    import xraylib

    try:
        return float(xraylib.CSb_Photo_Partial(number, macro, photon_energy_eV / 1000.0))
    except ValueError:
        return 0.0


def _widths(symbol: str) -> dict[str, float]:
    return core_hole_widths()[symbol] | _width_overrides().get(symbol, {})


@cache
def _width_overrides() -> dict[str, dict[str, float]]:
    widths: dict[str, dict[str, float]] = {}
    for row in read_table("width_overrides.csv"):
        widths.setdefault(row["element"], {})[row["shell"]] = float(row["lorentz_fwhm_eV"])
    return widths


@cache
def _asymmetries(anode: str) -> dict[tuple[str, str], float]:
    column = {"AlKa": "beta_AlKa1486.6", "MgKa": "beta_MgKa1253.6"}[anode]
    return {(row["el"], row["nl"]): float(row[column]) for row in read_table("beta_HS_all.csv") if row[column]}
