"""The embedded simulator behind the console: peaks, spectra and parameters of a project."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from math import sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.spectra.elements import ELEMENT_INDEX, ELEMENTS
from xpshpc.spectra.lines.line_table import LineKind, LineTable, line_table
from xpshpc.spectra.lines.sources import xray_sources
from xpshpc.spectra.matter.layers import Layer, Stack, State, check_stack
from xpshpc.spectra.matter.materials import AVOGADRO_PER_A3, mix
from xpshpc.spectra.matter.sample import parse_formula, parse_material
from xpshpc.spectra.sessa.emulator.project import PeakKey, Project, Region, SampleLayer
from xpshpc.spectra.sessa.grammar import HIGHER_BINDING
from xpshpc.spectra.sessa.output_files import Peak, PeakTransport
from xpshpc.spectra.sessa.spectrum_files import RegionSpectrum, region_axis
from xpshpc.spectra.settings import Instrument, Physics
from xpshpc.spectra.simulation.stack_emission import StackEmission
from xpshpc.spectra.simulation.stack_simulator import StackSimulator
from xpshpc.spectra.transport.escape import surface_excitation
from xpshpc.spectra.transport.loss_functions import natural_loss
from xpshpc.spectra.transport.mean_free_paths import inelastic_mean_free_path, transport_mean_free_path

_FWHM_PER_SIGMA = 2.0 * sqrt(2.0 * np.log(2.0))
_LOWEST_EV = 50.0
_CUBIC_A_PER_CM = 1e-24


@dataclass(frozen=True)
class SimulatedLine:
    """A line of the sample with the electrons that leave without a loss, for MODEL SAVE INTENSITIES."""

    layer: int
    element: str
    state: str
    orbital: str
    kinetic_energy_eV: float
    intensity: float


def states_of(material: str) -> tuple[State, ...]:
    """The states of a material in SESSA's notation; raises UsageError for what is none."""
    return parse_material(material).states


def source_of(photon_energy_eV: float) -> str:
    """The name of the source with this photon energy; raises UsageError if the simulator has none."""
    for name, source in reversed(xray_sources().items()):
        if abs(source.photon_energy_eV - photon_energy_eV) < 1.0:
            return name
    known = ", ".join(f"{source.photon_energy_eV:g}" for source in xray_sources().values())
    raise UsageError(f"photons of {photon_energy_eV:g} eV are not simulated here, only of {known} eV")


def keyed_peaks(project: Project) -> list[PeakKey]:
    """The peaks of the list, in its order: by element and state as they first came up, then by rising energy.

    A peak is in the list if its line lies in a region and it was not deleted.
    """
    table = line_table(project.source)
    first_seen = list(dict.fromkeys(element for element, _ in project.known_states))
    inside = _in_any_region(table, project)
    found: list[PeakKey] = []
    for element, state in sorted(project.known_states, key=lambda known: first_seen.index(known[0])):
        place = ELEMENT_INDEX[element]
        lines = np.arange(table.first[place], table.first[place + 1])
        listed = lines[inside[lines] & (table.kind[lines] != LineKind.SHAKE_UP)]
        for line in listed[np.argsort(table.kinetic_energy_eV[listed], kind="stable")]:
            key = (element, state, table.orbital[line])
            edit = project.edits.get(key)
            if key not in found and not (edit and edit.deleted):
                found.append(key)
    return found


def list_peaks(project: Project) -> list[Peak]:
    """The numbered peak list, energies as shifted."""
    table = line_table(project.source)
    peaks = []
    for number, key in enumerate(keyed_peaks(project), start=1):
        line = _line(table, key)
        edit = project.edits.get(key)
        energy = float(table.kinetic_energy_eV[line]) - HIGHER_BINDING * (edit.shift_eV if edit else 0.0)
        kind = "AES" if table.kind[line] == LineKind.AUGER else "XPS"
        peaks.append(Peak(number, key[0], key[1], key[2].replace(" ", "_"), energy, kind))
    return peaks


@cache
def _orbitals(source: str) -> dict[tuple[str, str], int]:
    table = line_table(source)
    return {(ELEMENTS[place], table.orbital[line]): line for line, place in enumerate(table.element)}


def _in_any_region(table: LineTable, project: Project) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = np.logical_or.reduce([_inside(table, region) for region in project.regions])
    return inside


def _line(table: LineTable, key: PeakKey) -> int:
    return _orbitals(table.source.name)[key[0], key[2]]


def simulate(project: Project) -> list[RegionSpectrum]:
    """The spectrum of each region, in electrons for each eV and each line's own unit of intensity."""
    stack, simulator, emission = _emitted(project)
    return [_draw(simulator, stack, emission, region) for region in project.regions]


def simulated_lines(project: Project) -> list[SimulatedLine]:
    """Every line that stands in a region, the strongest first."""
    stack, simulator, emission = _emitted(project)
    table = simulator.table
    listed = emission[_in_any_region(table, project)[table.main_line[emission.line]]]
    lines = [
        SimulatedLine(int(layer) + 1, *key, float(energy), float(intensity))
        for layer, key, energy, intensity in zip(
            listed.layer, _keys(stack, simulator.table, listed), listed.energy_eV, listed.intensity, strict=True
        )
    ]
    return sorted(lines, key=lambda line: -line.intensity)


def transport(project: Project) -> list[PeakTransport]:
    """The parameters of each peak's electrons in each layer, the top layer first."""
    peaks = list_peaks(project)
    energy = np.array([peak.kinetic_energy_eV for peak in peaks])
    cosine = float(np.cos(np.radians(project.analyser_direction.angle_to(project.sample_tilt))))
    rows: list[PeakTransport] = []
    for number, layer in enumerate(_stack(project).layers, start=1):
        fractions = layer.fractions()
        elements = np.array([[ELEMENT_INDEX[symbol] for symbol in fractions]], dtype=np.intp)
        shares = np.array([list(fractions.values())])
        material = mix(elements, shares, density=layer.density_g_cm3, band_gap=layer.band_gap_eV)
        inelastic = inelastic_mean_free_path(material, energy)
        elastic = transport_mean_free_path(elements[0], shares[0], float(material.atoms_per_A3[0]), energy)
        surface = surface_excitation(energy, cosine) if project.surface_excitations else np.zeros(len(peaks))
        for peak, *figures in zip(peaks, inelastic, elastic, surface, strict=True):
            identity = f"{peak.element}{peak.orbital}".replace("/2", "").lower()
            rows.append(PeakTransport(number, peak.number, identity, peak.kinetic_energy_eV, *map(float, figures)))
    return rows


def _emitted(project: Project) -> tuple[Stack, StackSimulator, StackEmission]:
    """What leaves the sample, deleted peaks left out, the others where the session has put them."""
    stack = _stack(project)
    simulator = StackSimulator(_instrument(project), _physics(project))
    emission = simulator.emit(stack)
    edits = [project.edits.get(key) for key in _keys(stack, simulator.table, emission)]
    kept = np.array([not (edit and edit.deleted) for edit in edits], dtype=bool)
    left = [edit for edit, stays in zip(edits, kept, strict=True) if stays]
    emission = emission[kept].shifted(np.array([-HIGHER_BINDING * (edit.shift_eV if edit else 0.0) for edit in left]))
    shaped = np.array([bool(edit and edit.gaussian) for edit in left], dtype=bool)
    if shaped.any():
        sigma = np.array([edit.gauss_sigma_eV or 0.0 if edit else 0.0 for edit in left])
        emission = _as_gaussians(emission, shaped, sigma * _FWHM_PER_SIGMA)
    return stack, simulator, emission


def _as_gaussians(emission: StackEmission, shaped: NDArray[np.bool_], fwhm_eV: NDArray[np.float64]) -> StackEmission:
    return replace(
        emission,
        lorentz_fwhm_eV=np.where(shaped, 0.0, emission.lorentz_fwhm_eV),
        gauss_fwhm_eV=np.where(shaped, fwhm_eV, emission.gauss_fwhm_eV),
        singularity=np.where(shaped, 0.0, emission.singularity),
        band_eV=np.where(shaped, 0.0, emission.band_eV),
    )


def _keys(stack: Stack, table: LineTable, emission: StackEmission) -> list[PeakKey]:
    """The peak that each entry belongs to; a shake-up line belongs to its main line's."""
    main = table.main_line[emission.line]
    return [
        (ELEMENTS[table.element[line]], stack.layers[layer].states[state].tag, table.orbital[line])
        for layer, state, line in zip(emission.layer, emission.state, main, strict=True)
    ]


def _draw(simulator: StackSimulator, stack: Stack, emission: StackEmission, region: Region) -> RegionSpectrum:
    """A region holds the lines that stand in it and their losses, and nothing of lines above it, as with SESSA: behind
    a region of Nb 3d its spectra fall to nothing, 100 eV below the Si 2p of another region."""
    table = simulator.table
    own = emission[_inside(table, region)[table.main_line[emission.line]]]
    axis = region_axis(region.low_eV, region.high_eV)
    losses: Literal["all", "none"] = "none" if region.zero_loss else "all"
    return RegionSpectrum(axis, simulator.draw(stack, own, axis, analyser_fwhm_eV=0.0, losses=losses))


def _inside(table: LineTable, region: Region) -> NDArray[np.bool_]:
    """Which lines stand in a region, before any shift."""
    inside: NDArray[np.bool_] = (table.kinetic_energy_eV >= region.low_eV) & (table.kinetic_energy_eV <= region.high_eV)
    return inside


def _stack(project: Project) -> Stack:
    if not project.layers:
        raise UsageError("the sample has no material")
    *above, bottom = project.layers
    layers = [_layer(layer, project.mass_density) for layer in (*above, replace(bottom, thickness_A=np.inf))]
    stack = Stack(tuple(layers))
    check_stack(stack)
    return stack


def _layer(layer: SampleLayer, mass_density: bool) -> Layer:
    loss = natural_loss(parse_formula(layer.loss_material)) if layer.loss_material else None
    plain = Layer(layer.material, layer.states, layer.thickness_A, None, layer.band_gap_eV, loss)
    if layer.density is None or mass_density:
        return replace(plain, density_g_cm3=layer.density)
    fractions = plain.fractions()
    elements = np.array([[ELEMENT_INDEX[symbol] for symbol in fractions]], dtype=np.intp)
    mass = float(mix(elements, np.array([list(fractions.values())])).mass[0])
    return replace(plain, density_g_cm3=layer.density * _CUBIC_A_PER_CM * mass / AVOGADRO_PER_A3)


def _instrument(project: Project) -> Instrument:
    photon = xray_sources()[project.source].photon_energy_eV
    low = max(min(region.low_eV for region in project.regions), _LOWEST_EV)
    high = min(max(region.high_eV for region in project.regions), photon)
    if not low < high:
        raise UsageError(f"no region lies between {_LOWEST_EV:g} and {photon:g} eV")
    return Instrument(
        source=project.source,
        window_eV=(low, high),
        emission_angle_deg=project.analyser_direction.angle_to(project.sample_tilt),
        source_angle_deg=project.source_direction.angle_to(project.analyser_direction),
        acceptance_half_angle_deg=project.aperture_deg,
    )


def _physics(project: Project) -> Physics:
    return Physics(elastic_scattering=not project.straight_lines, surface_excitations=project.surface_excitations)
