"""The components of Auger groups: multiplet terms, and what is emitted beside a spectator hole."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from xpshpc.spectra.elements import ATOMIC_NUMBERS
from xpshpc.spectra.tables import read_table

SPECTATOR = "spectator"


@dataclass(frozen=True)
class Term:
    """A component: name, distance (eV) from the group's energy, share of the group, full width (eV)."""

    name: str
    offset_eV: float
    share: float
    fwhm_eV: float


def terms(group: str, number: int) -> tuple[Term, ...]:
    """The terms of a group of the element with this atomic number (data/auger_terms.csv), empty where none are listed.

    Their shares sum to 1.
    """
    return tuple(term for term in _listed().get((group, number), ()) if term.name != SPECTATOR)


def spectator(group: str, number: int) -> Term | None:
    """What vacancies with a spectator hole emit in this group, None where they emit like the others."""
    return next((term for term in _listed().get((group, number), ()) if term.name == SPECTATOR), None)


def components(group: str, number: int, moved_in: float, fwhm_eV: float) -> tuple[Term, ...]:
    """What a group emits when `moved_in` of its vacancies have a spectator; their shares sum to 1.

    `fwhm_eV` is the width of a group whose terms are not listed.
    """
    multiplet = terms(group, number) or (Term("", 0.0, 1.0, fwhm_eV),)
    apart = spectator(group, number)
    if apart is None or moved_in == 0.0:
        return multiplet
    return (*(replace(term, share=term.share * (1.0 - moved_in)) for term in multiplet), replace(apart, share=moved_in))


@cache
def _listed() -> dict[tuple[str, int], tuple[Term, ...]]:
    found: dict[tuple[str, int], tuple[Term, ...]] = {}
    for row in read_table("auger_terms.csv"):
        term = Term(row["term"], float(row["offset_eV"]), float(row["share"]), float(row["fwhm_eV"]))
        for number in range(ATOMIC_NUMBERS[row["first"]], ATOMIC_NUMBERS[row["last"]] + 1):
            key = (row["group"], number)
            found[key] = (*found.get(key, ()), term)
    return found
