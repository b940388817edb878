"""Real compounds: minerals, oxides, salts, semiconductors, alloys and polymers with their densities and band gaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from xpshpc.spectra.elements import ELEMENT_INDEX, ELEMENTS
from xpshpc.spectra.matter.sample import parse_formula
from xpshpc.spectra.tables import read_table

_SAME = 1e-3
"""Largest difference of an atomic fraction between a composition and the compound that it is taken for."""


@dataclass(frozen=True)
class Compound:
    """A compound as a handbook names it: density in g/cm³ (its hydrogen included), band gap in eV, 0 for metals."""

    name: str
    formula: str
    kind: str
    density_g_cm3: float
    band_gap_eV: float

    @cached_property
    def fractions(self) -> dict[str, float]:
        """Atomic fractions of the elements that XPS sees: hydrogen is left out."""
        return parse_formula(self.formula)


@cache
def compounds() -> tuple[Compound, ...]:
    """All compounds, in the order of data/compounds.csv, where the sources of the figures stand."""
    return tuple(
        Compound(row["name"], row["formula"], row["kind"], float(row["density_g_cm3"]), float(row["band_gap_eV"]))
        for row in read_table("compounds.csv")
    )


@cache
def compound_compositions() -> NDArray[np.float64]:
    """Atomic fractions of all compounds over ELEMENTS, (compounds, 80)."""
    table = np.zeros((len(compounds()), len(ELEMENTS)))
    for row, compound in enumerate(compounds()):
        for symbol, share in compound.fractions.items():
            table[row, ELEMENT_INDEX[symbol]] = share
    table.setflags(write=False)
    return table


def find_compound(fractions: Mapping[str, float]) -> Compound | None:
    """The compound of this composition (atomic fractions, to 1e-3), the commonest where several have it, or None.

    Hydrogen is invisible here as in a spectrum: carbon alone is graphite, not polyethylene.
    """
    wanted = np.zeros(len(ELEMENTS))
    for symbol, share in fractions.items():
        wanted[ELEMENT_INDEX[symbol]] = share
    apart = np.abs(compound_compositions() - wanted).max(axis=1).round(9)
    nearest = int(apart.argmin())
    return compounds()[nearest] if apart[nearest] <= _SAME else None


def compound_words() -> list[str]:
    """What chooses compounds: every name and every kind."""
    return list(dict.fromkeys(word for compound in compounds() for word in (compound.name, compound.kind)))


@cache
def choose_compounds(words: tuple[str, ...], elements: tuple[str, ...]) -> NDArray[np.intp]:
    """Places of the compounds with one of these names or kinds (no words: any) and made of these elements alone."""
    allowed = set(elements)
    places = np.array(
        [
            place
            for place, compound in enumerate(compounds())
            if (not words or compound.name in words or compound.kind in words)
            and allowed.issuperset(compound.fractions)
        ],
        dtype=np.intp,
    )
    places.setflags(write=False)
    return places
