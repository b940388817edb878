"""From atomic fractions to what electron transport needs: density, atoms per volume, valence electrons."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from xpshpc.spectra.elements import ELEMENTS
from xpshpc.spectra.tables import read_table

AVOGADRO_PER_A3 = 0.602214076
"""Atoms in Å³ for 1 mol in cm³: Avogadro's constant times 1e-24."""


@dataclass(frozen=True)
class Material:
    """Homogeneous materials, one for each entry of the arrays (any common shape).

    `mass`: mean atomic mass, g/mol; `density`: g/cm³; `valence_electrons`: per atom, mean; `band_gap`: eV.
    """

    mass: NDArray[np.float64]
    density: NDArray[np.float64]
    valence_electrons: NDArray[np.float64]
    band_gap: NDArray[np.float64]

    def __getitem__(self, places: NDArray[np.intp]) -> Material:
        """The materials at these places, one for each of them."""
        return Material(self.mass[places], self.density[places], self.valence_electrons[places], self.band_gap[places])

    @property
    def atoms_per_A3(self) -> NDArray[np.float64]:
        return AVOGADRO_PER_A3 * self.density / self.mass


@dataclass(frozen=True)
class AtomicData:
    """Per element, in the order of ELEMENTS: mass (g/mol), density when condensed (g/cm³), valence electrons."""

    mass: NDArray[np.float64]
    density: NDArray[np.float64]
    valence_electrons: NDArray[np.float64]


@cache
def atomic_data() -> AtomicData:
    """The table of the elements (its source stands in data/elements.csv)."""
    rows = {row["element"]: row for row in read_table("elements.csv")}
    column = {
        name: np.array([float(rows[symbol][name]) for symbol in ELEMENTS])
        for name in ("mass_g_mol", "density_g_cm3", "valence_electrons")
    }
    return AtomicData(column["mass_g_mol"], column["density_g_cm3"], column["valence_electrons"])


def mix(
    elements: NDArray[np.intp],
    fractions: NDArray[np.float64],
    *,
    density: float | NDArray[np.float64] | None = None,
    band_gap: float | NDArray[np.float64] = 0.0,
) -> Material:
    """Materials of atomic `fractions` of `elements`, both (n, k); a fraction of 0 marks an unused place.

    `density` (g/cm³) and `band_gap` (eV) are one number or (n,). Where the density is None or NaN, the atoms'
    volumes are added up.
    """
    data = atomic_data()
    mass = (fractions * data.mass[elements]).sum(axis=1)
    estimated = mass / (fractions * (data.mass / data.density)[elements]).sum(axis=1)
    valence = (fractions * data.valence_electrons[elements]).sum(axis=1)
    known = estimated if density is None else np.where(np.isnan(density), estimated, density)
    return Material(mass, known, valence, np.broadcast_to(np.asarray(band_gap, dtype=np.float64), mass.shape))


NON_METALS = frozenset(
    (
        "H",
        "He",
        "B",
        "C",
        "N",
        "O",
        "F",
        "Ne",
        "Si",
        "P",
        "S",
        "Cl",
        "Ar",
        "Ge",
        "As",
        "Se",
        "Br",
        "Kr",
        "Te",
        "I",
        "Xe",
    )
)
"""Elements that, when they are a part of a material, keep it from being counted as a metal."""


def metallic(
    elements: NDArray[np.intp], fractions: NDArray[np.float64], band_gap: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Whether materials (as in `mix`) are metals: no band gap, and not an atom of a non-metal. Shape (n,)."""
    bound = np.array([symbol in NON_METALS for symbol in ELEMENTS])[elements] & (fractions > 0.0)
    free: NDArray[np.bool_] = (np.asarray(band_gap) == 0.0) & ~bound.any(axis=1)
    return free
