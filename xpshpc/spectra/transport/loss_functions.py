"""What one inelastic collision takes from an electron in a material: Tougaard's loss functions, in closed form.

K(T) = B·T/((C − T²)² + D·T²) with the loss T. In u = T² its integral is an arctangent, so that the probability of a
channel is exact, however narrow the plasmon is against the channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.spectra.tables import read_table

LOSS_FUNCTIONS: tuple[str, ...] = ("universal", "polymer", "SiO2", "Si", "Ge", "Al")
"""The known loss functions; a sample names one by its place here."""

_PURE = 0.95
_ORGANIC = frozenset(("C", "N", "O", "F", "S", "Cl"))
_LEAST_CARBON = 0.3
_SILICA_OXYGEN_PER_SILICON = (1.5, 2.5)


@dataclass(frozen=True)
class LossFunction:
    """Tougaard's three parameters of a material (data/loss_functions.csv): B, C and D in eV²."""

    B: float
    C: float
    D: float

    def density(self, loss_eV: NDArray[np.float64]) -> NDArray[np.float64]:
        """K(T) in 1/eV as published, its area close to 1 but not 1."""
        value: NDArray[np.float64] = self.B * loss_eV / ((self.C - loss_eV**2) ** 2 + self.D * loss_eV**2)
        return value

    def below(self, loss_eV: NDArray[np.float64]) -> NDArray[np.float64]:
        """The share of all losses that are smaller than `loss_eV`: 0 at no loss, 1 at infinity."""
        squared = np.square(loss_eV)
        if np.isclose(self.D, 4.0 * self.C):
            universal: NDArray[np.float64] = squared / (self.C + squared)
            return universal
        middle = self.C - 0.5 * self.D
        width = np.sqrt(self.D * (self.C - 0.25 * self.D))
        start = np.arctan2(middle, width)
        share: NDArray[np.float64] = (np.arctan2(squared - middle, width) + start) / (0.5 * np.pi + start)
        return share


@cache
def published(name: str) -> LossFunction:
    """The parameters of a named loss function; raises UsageError for an unknown name."""
    rows = {row["name"]: row for row in read_table("loss_functions.csv")}
    if name not in rows:
        raise UsageError(f"unknown loss function {name!r}", try_=f"one of {', '.join(LOSS_FUNCTIONS)}")
    return LossFunction(*(float(rows[name][column]) for column in ("B_eV2", "C_eV2", "D_eV2")))


def loss_function(name: str, losses: int, channel_eV: float) -> NDArray[np.float64]:
    """Probabilities of an inelastic loss in channels of `channel_eV`, shape (losses,).

    Entry j is the probability that one collision takes an energy within half a channel of j channels; all losses up to
    infinity sum to 1. Raises UsageError for an unknown name.
    """
    edges = np.concatenate(([0.0], (np.arange(losses) + 0.5) * channel_eV))
    return np.diff(published(name).below(edges))


def tougaard_universal(losses: int, channel_eV: float) -> NDArray[np.float64]:
    """The universal loss function, which fits most metals and their oxides, as `loss_function` gives it."""
    return loss_function("universal", losses, channel_eV)


def finest_structure_eV(name: str) -> float:
    """Full width at half maximum (eV) of a loss function's peak, its sharpest feature.

    The maximum lies at T² = ((2C − D) + √((2C − D)² + 12C²))/6; the half heights are found by bisection.
    """
    from scipy.optimize import brentq

    function = published(name)
    slope = 2.0 * function.C - function.D
    peak = float(np.sqrt((slope + np.sqrt(slope**2 + 12.0 * function.C**2)) / 6.0))
    half = 0.5 * float(function.density(np.array(peak)))

    def above_half(loss_eV: float) -> float:
        return float(function.density(np.array(loss_eV))) - half

    return float(brentq(above_half, peak, 20.0 * peak) - brentq(above_half, 0.0, peak))


def natural_loss(fractions: Mapping[str, float]) -> str:
    """The loss function that suits a composition (atomic fractions by element, hydrogen left out).

    Al, Si or Ge that makes up 95 % of the atoms has its own. Silicon and oxygen, 95 % of the atoms with 1.5 to 2.5 O
    for each Si, is SiO2. Carbon, at least 30 % of the atoms, with none but N, O, F, S and Cl beside it is a polymer: so
    is carbon alone, since polyethylene and graphite have the same atoms here. All else has the universal function.
    """
    present = {element: share for element, share in fractions.items() if share > 0.0}
    total = sum(present.values())
    for element in ("Al", "Si", "Ge"):
        if present.get(element, 0.0) >= _PURE * total > 0.0:
            return element
    silicon, oxygen = present.get("Si", 0.0), present.get("O", 0.0)
    low, high = _SILICA_OXYGEN_PER_SILICON
    if silicon + oxygen >= _PURE * total and low * silicon <= oxygen <= high * silicon and silicon > 0.0:
        return "SiO2"
    if present.get("C", 0.0) >= _LEAST_CARBON * total > 0.0 and _ORGANIC.issuperset(present):
        return "polymer"
    return "universal"
