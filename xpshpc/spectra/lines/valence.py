"""Valence bands: which levels of an element form them, how wide they are and how strongly they emit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from xpshpc.spectra.elements import ATOMIC_NUMBERS, ELEMENT_INDEX
from xpshpc.spectra.lines.levels import ORBITALS, asymmetry, cross_section
from xpshpc.spectra.lines.sources import xray_sources
from xpshpc.spectra.matter.materials import AVOGADRO_PER_A3, atomic_data
from xpshpc.spectra.tables import read_table

_FREE_ELECTRON_EV_A2 = 3.80998
"""ħ²/2m in eV·Å² (CODATA)."""


@dataclass(frozen=True)
class ValenceBand:
    """An occupied band: orbital, depth of its top below the Fermi level and full width (eV), σ (barn), and β."""

    orbital: str
    top_eV: float
    width_eV: float
    cross_section_barn: float
    asymmetry: float


def valence_bands(symbol: str, source_name: str) -> list[ValenceBand]:
    """The bands of an element (data/valence_bands.csv) for which cross-sections are tabulated."""
    photon = xray_sources()[source_name].photon_energy_eV
    bands = []
    for orbital, (top, width) in _listed_bands().get(symbol, {}).items():
        shells = shells_of(orbital)
        sigma = sum(cross_section(symbol, shell, photon) for shell in shells)
        if sigma > 0.0:
            width = free_electron_width_eV(symbol) if width is None else width
            bands.append(ValenceBand(orbital, top, width, sigma, asymmetry(symbol, shells[-1], source_name)))
    return bands


def in_band(symbol: str, shell: str) -> bool:
    """Whether a subshell of an element belongs to one of its bands."""
    return ORBITALS[shell][:2] in _listed_bands().get(symbol, {})


def shells_of(orbital: str) -> list[str]:
    """X-ray names of the subshells of an orbital without its j: "3d" has M4 and M5."""
    return [shell for shell, name in ORBITALS.items() if name[:2] == orbital]


def free_electron_width_eV(symbol: str) -> float:
    """E_F = ħ²(3π²n)^⅔/2m of the free electrons in an element, n from its density and its outer s and p electrons."""
    import xraylib

    data, place = atomic_data(), ELEMENT_INDEX[symbol]
    atoms = AVOGADRO_PER_A3 * data.density[place] / data.mass[place]
    outer = [shell for orbital in _listed_bands()[symbol] if orbital[1] in "sp" for shell in shells_of(orbital)]
    electrons = 0.0
    for shell in outer:
        electrons += xraylib.ElectronConfig(ATOMIC_NUMBERS[symbol], getattr(xraylib, f"{shell}_SHELL"))
    return float(_FREE_ELECTRON_EV_A2 * np.cbrt(3.0 * np.pi**2 * atoms * electrons) ** 2)


@cache
def _listed_bands() -> dict[str, dict[str, tuple[float, float | None]]]:
    bands: dict[str, dict[str, tuple[float, float | None]]] = {}
    for row in read_table("valence_bands.csv"):
        width = float(row["width_eV"]) if row["width_eV"] else None
        bands.setdefault(row["element"], {})[row["orbital"]] = (float(row["top_eV"]), width)
    return bands
