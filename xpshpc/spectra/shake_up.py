"""Shake-up: what a main line of an oxide gives to satellites at lower kinetic energy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from xpshpc.spectra.elements import ELEMENT_INDEX, ELEMENTS
from xpshpc.spectra.materials import NON_METALS
from xpshpc.spectra.tables import read_table

LEAST_OXYGEN_PER_METAL = 0.25
"""O atoms for each metal atom from which a material counts as an oxide."""


@dataclass(frozen=True)
class ShakeUp:
    """A satellite: distance below its main line (eV), area relative to the main line, full width (eV)."""

    offset_eV: float
    ratio: float
    fwhm_eV: float


def shake_ups(symbol: str, shell: str) -> tuple[ShakeUp, ...]:
    """The satellites of a subshell's line in the element's common oxide (data/shake_up.csv)."""
    return _listed().get((symbol, shell), ())


def kept_share(satellites: tuple[ShakeUp, ...]) -> float:
    """What stays in the main line: the subshell's intensity is shared, 1/(1 + Σ ratios) to the main line."""
    return 1.0 / (1.0 + sum(satellite.ratio for satellite in satellites))


def oxidised(elements: NDArray[np.intp], fractions: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether materials hold metal, and at least a quarter as many O atoms as metal atoms; shape (n,).

    `elements` (places in ELEMENTS) and `fractions` are (n, k). The valence of the metal is not asked for: Cu2O, which
    shows no satellites, counts like CuO.
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
        satellite = ShakeUp(float(row["offset_eV"]), float(row["ratio"]), float(row["fwhm_eV"]))
        found[key] = (*found.get(key, ()), satellite)
    return found
