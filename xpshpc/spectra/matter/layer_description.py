"""A layer as it was described, before a compound's figures and the atoms' volumes fill in what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

import numpy as np

from xpshpc.spectra.elements import ELEMENT_INDEX
from xpshpc.spectra.matter.compounds import Compound, compounds, find_compound
from xpshpc.spectra.matter.layers import STATE_OF_THE_ELEMENT, Layer, Stack
from xpshpc.spectra.matter.materials import mix
from xpshpc.spectra.matter.sample import NamedMaterial, parse_material
from xpshpc.spectra.transport.loss_functions import LOSS_FUNCTIONS


@dataclass(frozen=True)
class LayerDescription:
    """A layer with what its describer said of it, None where nothing was said; shifts by element and tag, in eV."""

    formula: str
    material: NamedMaterial
    thickness_A: float | None = None
    density_g_cm3: float | None = None
    band_gap_eV: float | None = None
    loss: str | None = None
    shifts: Mapping[tuple[str, str], float] = field(default_factory=dict)


def described_stack(described: Sequence[LayerDescription]) -> Stack:
    """The layers with a density and a band gap each; remarks say what was left out and what was estimated."""
    layers: list[Layer] = []
    remarks: list[str] = []
    for each in described:
        layer, remark = _complete(each)
        layers.append(layer)
        remarks += [*each.material.remarks, *remark]
    return Stack(tuple(layers), tuple(dict.fromkeys(remarks)))


def _complete(described: LayerDescription) -> tuple[Layer, list[str]]:
    """The layer with the density and band gap of the compound it is, where none were given, and what to remark."""
    material = described.material
    compound = _known_compound(described)
    density, gap = described.density_g_cm3, described.band_gap_eV
    if compound is not None:
        density = compound.density_g_cm3 if density is None else density
        gap = compound.band_gap_eV if gap is None else gap
    remark = []
    if density is None:
        elements = np.array([[ELEMENT_INDEX[symbol] for symbol in material.fractions]], dtype=np.intp)
        density = float(mix(elements, np.array([list(material.fractions.values())])).density[0])
        if len(material.fractions) > 1:
            name = described.formula
            remark = [f"density of {name} estimated from the atoms' volumes: {density:.3g} g/cm3"]
    states = tuple(
        replace(state, shift_eV=described.shifts.get((state.element, state.tag), 0.0)) for state in material.states
    )
    thickness = inf if described.thickness_A is None else described.thickness_A
    return Layer(described.formula, states, thickness, density, gap or 0.0, described.loss), remark


def _known_compound(described: LayerDescription) -> Compound | None:
    """The compound of this very formula or, if one holds hydrogen as the other does, of this composition."""
    for compound in compounds():
        if compound.formula == described.formula:
            return compound
    found = find_compound(described.material.fractions)
    if found is not None and parse_material(found.formula).remarks == described.material.remarks:
        return found
    return None


def find_state(material: NamedMaterial, name: str) -> tuple[str, str] | None:
    """Element and tag of the state that a user names "Si[SiO2]" or, without a tag, "Si"; case does not matter."""
    element, _, rest = name.partition("[")
    wanted = element.strip().casefold(), rest.removesuffix("]").strip().casefold()
    for state in material.states:
        if (state.element.casefold(), state.tag.casefold()) == wanted:
            return state.element, state.tag
    return None


def states_of(material: NamedMaterial) -> str:
    """The end of a message that tells which states there are."""
    return "; there are " + ", ".join(
        state.element if state.tag == STATE_OF_THE_ELEMENT else f"{state.element}[{state.tag}]"
        for state in material.states
    )


def find_loss(name: str) -> str | None:
    """The loss function of this name; case does not matter."""
    return next((known for known in LOSS_FUNCTIONS if known.casefold() == name.casefold()), None)
