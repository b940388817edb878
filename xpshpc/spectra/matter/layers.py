"""A sample as a stack of layers: what a user describes, and what the simulators take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf, isinf

from xpshpc.errors import UsageError

STATE_OF_THE_ELEMENT = ""
"""The tag of an element whose lines stand where the line table has them."""

DENSITIES_G_CM3 = (1e-3, 100.0)
"""From aerogels to far beyond osmium: the formulas of the mean free paths hold for nothing else."""

LARGEST_GAP_EV = 50.0
LARGEST_SHIFT_EV = 1000.0
"""Of lines, either way: far more than any chemical shift or charging, and a line is still near the window."""


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
        return element_fractions(self.states)


@dataclass(frozen=True)
class Stack:
    """Layers from the surface downwards; the last is the substrate."""

    layers: tuple[Layer, ...]
    remarks: tuple[str, ...] = ()


def element_fractions(states: Iterable[State]) -> dict[str, float]:
    """Atomic fractions by element, all its states together, in the order in which the elements first stand."""
    total: dict[str, float] = {}
    for state in states:
        total[state.element] = total.get(state.element, 0.0) + state.fraction
    return total


def check_stack(stack: Stack) -> None:
    """Raises UsageError for a stack without layers, a layer without end above others, and figures that no solid has."""
    if not stack.layers:
        raise UsageError("the sample has no layer", where="sample", try_="SiO2 | 25 Å; Si")
    for number, layer in enumerate(stack.layers, start=1):
        where = f"sample, layer {number}"
        if not layer.thickness_A >= 0.0:
            raise UsageError(f"a thickness of {layer.thickness_A:g} Å", where=where, try_=f"{layer.formula} | 25 Å")
        if isinf(layer.thickness_A) and number < len(stack.layers):
            what = "a layer without end hides what lies below it"
            raise UsageError(what, where=where, try_=f"{layer.formula} | 25 Å")
        low, high = DENSITIES_G_CM3
        density, gap = layer.density_g_cm3, layer.band_gap_eV
        if density is not None and not low <= density <= high:
            what = f"a density of {density:g} g/cm³: it must lie between {low:g} and {high:g}"
            raise UsageError(what, where=where, try_=f"{layer.formula} | 2.2 g/cm3")
        if not 0.0 <= gap <= LARGEST_GAP_EV:
            what = f"a band gap of {gap:g} eV: it must lie between 0 and {LARGEST_GAP_EV:g}"
            raise UsageError(what, where=where, try_=f"{layer.formula} | gap 1.5 eV")
        for state in layer.states:
            if not abs(state.shift_eV) <= LARGEST_SHIFT_EV:
                what = f"{state.element} is shifted by {state.shift_eV:g} eV: at most {LARGEST_SHIFT_EV:g}, either way"
                raise UsageError(what, where=where, try_=f"{layer.formula} | {state.element} 1.5 eV")
