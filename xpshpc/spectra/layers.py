"""A sample as a stack of layers: what a user describes, and what the simulators take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

STATE_OF_THE_ELEMENT = ""
"""The tag of an element whose lines stand where the line table has them."""


@dataclass(frozen=True)
class State:
    """Atoms of one element in one chemical state.

    `fraction`: of all atoms of the layer that XPS sees; `tag` names the state ("SiO2" in /Si[SiO2]/O2/); `shift_eV`:
    of the element's lines towards higher binding energy.
    """

    element: str
    fraction: float
    tag: str = STATE_OF_THE_ELEMENT
    shift_eV: float = 0.0


@dataclass(frozen=True)
class Layer:
    """A homogeneous layer. Fractions of its states add up to 1; a substrate has infinite thickness.

    `density_g_cm3`: None to estimate it from the atoms' volumes; `loss`: the name of a loss function, None to choose it
    by the composition.
    """

    formula: str
    states: tuple[State, ...]
    thickness_A: float = inf
    density_g_cm3: float | None = None
    band_gap_eV: float = 0.0
    loss: str | None = None

    def fractions(self) -> Mapping[str, float]:
        """Atomic fractions by element, all states together."""
        total: dict[str, float] = {}
        for state in self.states:
            total[state.element] = total.get(state.element, 0.0) + state.fraction
        return total


@dataclass(frozen=True)
class Stack:
    """Layers from the surface downwards; the last is the substrate."""

    layers: tuple[Layer, ...]
    remarks: tuple[str, ...] = ()
