"""Shake-up: what a main line of an oxide gives to satellites and multiplet components at lower kinetic energy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from xpshpc.spectra.elements import ELEMENT_INDEX, ELEMENTS
from xpshpc.spectra.matter.materials import NON_METALS
from xpshpc.spectra.tables import read_table

LEAST_OXYGEN_PER_METAL = 0.75
"""O atoms for each metal atom from which a material counts as an oxide: between Cu2O, which shows no satellites, and
the monoxides, which do."""


@dataclass(frozen=True)
class ShakeUp:
    """A component beside a main line: its kind, distance below it (eV), area relative to it, full width (eV)."""

    what: str
    offset_eV: float
    ratio: float
    fwhm_eV: float


def shake_ups(symbol: str, shell: str) -> tuple[ShakeUp, ...]:
    """The components of a subshell's line, beside the main one, in the element's common oxide (data/shake_up.csv)."""
    return _listed().get((symbol, shell), ())


def kept_share(satellites: tuple[ShakeUp, ...]) -> float:
    """What stays in the main line: the subshell's intensity is shared, 1/(1 + Σ ratios) to the main line."""
    return 1.0 / (1.0 + sum(satellite.ratio for satellite in satellites))


def oxidised(elements: NDArray[np.intp], fractions: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether materials hold metal, and at least three quarters as many O atoms as metal atoms; shape (n,).

    `elements` (places in ELEMENTS) and `fractions` are (n, k). Oxygen is counted per metal atom of any kind: which
    metal holds it is not asked.
    """
    metal = np.array([symbol not in NON_METALS for symbol in ELEMENTS])
    metals = (fractions * metal[elements]).sum(axis=-1)
    oxygen = (fractions * (elements == ELEMENT_INDEX["O"])).sum(axis=-1)
    oxide: NDArray[np.bool_] = (metals > 0.0) & (oxygen >= LEAST_OXYGEN_PER_METAL * metals)
    return oxide


@cache
def _listed() -> dict[tuple[str, str], tuple[ShakeUp, ...]]:
    found: dict[tuple[str, str], tuple[ShakeUp, ...]] = {}
    for row in read_table("shake_up.csv"):
        key = (row["element"], row["shell"])
        satellite = ShakeUp(row["what"], float(row["offset_eV"]), float(row["ratio"]), float(row["fwhm_eV"]))
        found[key] = (*found.get(key, ()), satellite)
    return found
