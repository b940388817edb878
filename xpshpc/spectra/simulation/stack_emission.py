"""Which lines a stack of layers emits, and how many of their electrons leave it without a loss.

A line of a state in a layer of thickness d, under others of thickness d_i, sends without a loss

    I = N σ μ { λ Q (1 − e^{−d/(L μ)}) Π e^{−d_i/(L_i μ)} − β/4 (3 cos²ψ − 1) Λ (1 − e^{−d/(Λ μ)}) Π e^{−d_i/(Λ_i μ)} }

electrons towards the direction whose cosine to the surface normal is μ. N counts the state's atoms, λ is the inelastic
mean free path, L = λ(1 − 0.738 ω) the attenuation length and Q = √(1−ω)·H(μ, ω) the escape factor of the layer, all at
the line's energy. The second term is what is left of the dipole asymmetry: an elastic deflection forgets the direction
of the X-rays, so it fades over the total path Λ = λ(1 − ω), where 1/Λ = 1/λ + 1/λ_tr, while the electrons themselves
fade over L. For a homogeneous half-space the sum is N σ λ Q μ [1 − β_eff/4 (3 cos²ψ − 1)] with β_eff = β(1−ω)/Q; atoms
near the surface show more of their asymmetry, buried ones less (Jablonski and Powell, 10.1063/5.0008576, review such
depth dependence). The mean over the acceptance cone is taken with each direction's own paths, and the angle ψ of its
axis.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.spectra.elements import ELEMENT_INDEX
from xpshpc.spectra.lines.line_table import LineKind, LineTable, oxidised
from xpshpc.spectra.matter.layers import Layer, Stack, check_stack
from xpshpc.spectra.matter.materials import Material, metallic, mix
from xpshpc.spectra.settings import Physics
from xpshpc.spectra.transport.escape import (
    attenuation_length,
    dipole_factor,
    effective_asymmetry,
    elastic_escape_factor,
    single_scattering_albedo,
    surface_excitation,
)
from xpshpc.spectra.transport.mean_free_paths import mean_free_path, transport_mean_free_path

_LOWEST_EV = 50.0
"""The formulas of the mean free paths begin here; slower electrons are taken as fast as this."""


@dataclass(frozen=True)
class Directions:
    """Where the analyser looks: cosines to the surface normal and their weights (sum 1), both (directions,).

    `source_angle_deg` is the angle between the X-rays and the axis of the acceptance cone.
    """

    cosine: NDArray[np.float64]
    weight: NDArray[np.float64]
    source_angle_deg: float


@dataclass(frozen=True)
class StackEmission:
    """Every line of every state of every layer, one entry for each; arrays are (entries,) unless said.

    `layer`, `state` (place in the layer's states) and `line` (place in the line table) say which one it is;
    `energy_eV` is its kinetic energy to the Fermi level, shifts included; the line's shape in this layer is in
    `lorentz_fwhm_eV`, `gauss_fwhm_eV`, `singularity` and `band_eV`. `intensity`: electrons that leave without a loss.

    What the later losses need: `source` (entries, directions), electrons that each Å of depth sends towards each
    direction, its weight included and the asymmetry left out, and `directed` (entries, directions), what the asymmetry
    adds to it; `paths`, `inelastic_paths` and `elastic_paths` (entries, layers), thickness by attenuation length, by λ
    and by λ_tr of each layer, to be divided by the direction's cosine; `surface_paths` (entries, directions), losses on
    crossing the surface.
    """

    layer: NDArray[np.intp]
    state: NDArray[np.intp]
    line: NDArray[np.intp]
    energy_eV: NDArray[np.float64]
    cross_section_barn: NDArray[np.float64]
    asymmetry: NDArray[np.float64]
    effective_asymmetry: NDArray[np.float64]
    imfp_A: NDArray[np.float64]
    transport_mfp_A: NDArray[np.float64]
    attenuation_length_A: NDArray[np.float64]
    albedo: NDArray[np.float64]
    escape_factor: NDArray[np.float64]
    lorentz_fwhm_eV: NDArray[np.float64]
    gauss_fwhm_eV: NDArray[np.float64]
    singularity: NDArray[np.float64]
    band_eV: NDArray[np.float64]
    source: NDArray[np.float64]
    directed: NDArray[np.float64]
    paths: NDArray[np.float64]
    inelastic_paths: NDArray[np.float64]
    elastic_paths: NDArray[np.float64]
    surface_paths: NDArray[np.float64]
    intensity: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.energy_eV)

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.intp] | slice) -> StackEmission:
        """The entries that a mask, places or a slice choose."""
        columns: dict[str, Any] = {field.name: getattr(self, field.name)[chosen] for field in fields(self)}
        return StackEmission(**columns)

    def shifted(self, shift_eV: NDArray[np.float64] | float) -> StackEmission:
        """The same lines, moved towards higher kinetic energy by (entries,); intensities stay as they are."""
        return replace(self, energy_eV=self.energy_eV + shift_eV)

    def above(self, paths: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of `paths` (entries, layers) those of the layers above each entry's own, 0 for the others."""
        return np.where(np.arange(paths.shape[1]) < self.layer[:, None], paths, 0.0)

    def own(self, paths: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of `paths` (entries, layers) each entry's own layer's, infinite in a substrate, (entries,)."""
        return np.take_along_axis(paths, self.layer[:, None], axis=1)[:, 0]


@dataclass(frozen=True)
class _Medium:
    """A layer as electrons see it: `elements`, `fractions` (k,) and what transport needs."""

    elements: NDArray[np.intp]
    fractions: NDArray[np.float64]
    material: Material
    metal: bool
    oxide: bool

    @property
    def atoms_per_A3(self) -> float:
        return float(self.material.atoms_per_A3[0])


def emit(stack: Stack, table: LineTable, physics: Physics, directions: Directions) -> StackEmission:
    """Every line of a stack, ordered by layer, state and line.

    Raises UsageError for a stack that `check_stack` refuses.
    """
    check_stack(stack)
    media = [_medium(layer) for layer in stack.layers]
    layer, state, line, energy, fraction = _choose_lines(stack, media, table, physics)
    density = np.array([medium.atoms_per_A3 for medium in media])[layer] * fraction
    speed = np.maximum(energy, _LOWEST_EV)
    formula = mean_free_path(physics.imfp)
    inelastic = np.stack([formula(medium.material, speed) for medium in media], axis=1)
    transport = np.stack(
        [transport_mean_free_path(medium.elements, medium.fractions, medium.atoms_per_A3, speed) for medium in media],
        axis=1,
    )
    albedo = single_scattering_albedo(inelastic, transport) if physics.elastic_scattering else np.zeros_like(inelastic)
    length = attenuation_length(inelastic, albedo)
    own = np.arange(len(line)), layer
    thickness = np.array([each.thickness_A for each in stack.layers])
    elastic = thickness / transport if physics.elastic_scattering else np.zeros_like(transport)

    oxide = np.array([physics.shake_up and medium.oxide for medium in media])[layer]
    sigma = table.cross_section_barn[line] * np.where(oxide, table.kept_share[line], 1.0)
    asymmetry = table.asymmetry[line]
    escape = np.stack([elastic_escape_factor(albedo[own], float(cosine)) for cosine in directions.cosine], axis=1)
    emitted = (density * sigma)[:, None] * directions.weight
    source = emitted * escape * (inelastic[own] / length[own])[:, None]
    directed = emitted * (dipole_factor(asymmetry, directions.source_angle_deg) - 1.0)[:, None]
    surface = np.zeros_like(source)
    if physics.surface_excitations:
        surface += np.stack([surface_excitation(speed, float(cosine)) for cosine in directions.cosine], axis=1)
    metal = np.array([physics.metal_asymmetry and medium.metal for medium in media])[layer]
    mean_escape = escape @ directions.weight
    emission = StackEmission(
        layer=layer,
        state=state,
        line=line,
        energy_eV=energy,
        cross_section_barn=sigma,
        asymmetry=asymmetry,
        effective_asymmetry=effective_asymmetry(asymmetry, albedo[own], mean_escape),
        imfp_A=inelastic[own],
        transport_mfp_A=transport[own],
        attenuation_length_A=length[own],
        albedo=albedo[own],
        escape_factor=mean_escape,
        lorentz_fwhm_eV=table.lorentz_fwhm_eV[line],
        gauss_fwhm_eV=table.gauss_fwhm_eV[line],
        singularity=np.where(metal, table.singularity[line], 0.0),
        band_eV=table.band_eV[line],
        source=source,
        directed=directed,
        paths=thickness / length,
        inelastic_paths=thickness / inelastic,
        elastic_paths=elastic,
        surface_paths=surface,
        intensity=np.zeros(len(line)),
    )
    return replace(emission, intensity=_without_loss(emission, directions))


def _without_loss(emission: StackEmission, directions: Directions) -> NDArray[np.float64]:
    """Electrons that leave without a loss, the mean over all directions, (entries,)."""
    total = emission.inelastic_paths + emission.elastic_paths
    length = emission.imfp_A * (1.0 - emission.albedo)
    leaving = emission.source * _escaping(emission, emission.paths, emission.attenuation_length_A, directions)
    leaving += emission.directed * _escaping(emission, total, length, directions)
    intensity: NDArray[np.float64] = (leaving * np.exp(-emission.surface_paths)).sum(axis=1)
    return intensity


def _escaping(
    emission: StackEmission, paths: NDArray[np.float64], length_A: NDArray[np.float64], directions: Directions
) -> NDArray[np.float64]:
    """Depth (Å) of each line's layer that is seen through those above, with paths of that length, (entries, …)."""
    depth = -np.expm1(-emission.own(paths)[:, None] / directions.cosine) * length_A[:, None] * directions.cosine
    seen: NDArray[np.float64] = depth * np.exp(-emission.above(paths).sum(axis=1)[:, None] / directions.cosine)
    return seen


def _medium(layer: Layer) -> _Medium:
    shares = layer.fractions()
    elements = np.array([[ELEMENT_INDEX[symbol] for symbol in shares]], dtype=np.intp)
    fractions = np.array([list(shares.values())])
    material = mix(elements, fractions, density=layer.density_g_cm3, band_gap=layer.band_gap_eV)
    metal = metallic(elements, fractions, material.band_gap)
    return _Medium(elements[0], fractions[0], material, bool(metal[0]), bool(oxidised(elements, fractions)[0]))


def _choose_lines(
    stack: Stack, media: list[_Medium], table: LineTable, physics: Physics
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Layer, state, line, energy and the state's fraction of every entry; shake-up lines only where oxidised."""
    layers: list[int] = []
    states: list[int] = []
    shifts: list[float] = []
    fractions: list[float] = []
    lines: list[NDArray[np.intp]] = []
    for place, (layer, medium) in enumerate(zip(stack.layers, media, strict=True)):
        for number, state in enumerate(layer.states):
            element = ELEMENT_INDEX[state.element]
            found = np.arange(table.first[element], table.first[element + 1])
            if not (physics.shake_up and medium.oxide):
                found = found[table.kind[found] != LineKind.SHAKE_UP]
            layers.append(place)
            states.append(number)
            shifts.append(state.shift_eV)
            fractions.append(state.fraction)
            lines.append(found)
    count = [len(found) for found in lines]
    line = np.concatenate(lines)
    energy = table.kinetic_energy_eV[line] - np.repeat(np.array(shifts), count)
    return (
        np.repeat(np.array(layers, dtype=np.intp), count),
        np.repeat(np.array(states, dtype=np.intp), count),
        line,
        energy,
        np.repeat(np.array(fractions), count),
    )
