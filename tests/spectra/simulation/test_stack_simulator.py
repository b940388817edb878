"""Laws of spectra of layered samples: what is split stays whole, what is lost is found, what lies deep is hidden."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import factorial, inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import fftconvolve
from scipy.special import expn, gammainc

from xpshpc.errors import UsageError
from xpshpc.plan.seeds import Streams
from xpshpc.spectra.elements import ELEMENT_INDEX, ELEMENTS
from xpshpc.spectra.lines.line_table import LineKind, line_table
from xpshpc.spectra.lines.sources import xray_sources
from xpshpc.spectra.matter.batch import draw_batch
from xpshpc.spectra.matter.layered import batch_stack, parse_stack
from xpshpc.spectra.matter.layers import Layer, Stack, State
from xpshpc.spectra.matter.materials import mix
from xpshpc.spectra.matter.sample import parse_material
from xpshpc.spectra.settings import Instrument, Physics, SpectraSettings
from xpshpc.spectra.simulation.simulator import Simulator
from xpshpc.spectra.simulation.stack_simulator import StackEmission, StackSimulator
from xpshpc.spectra.transport.loss_functions import loss_function
from xpshpc.spectra.transport.mean_free_paths import inelastic_mean_free_path, transport_mean_free_path

SURVEY = Instrument()
TILTED = Instrument(source="AlKa-mono", emission_angle_deg=40.0, acceptance_half_angle_deg=15.0)
STRAIGHT = Physics(elastic_scattering=False)


def layer(formula: str, thickness_A: float = inf, density: float | None = None, loss: str | None = None) -> Layer:
    return Layer(formula, parse_material(formula).states, thickness_A, density, 0.0, loss)


def survey(simulator: StackSimulator, stack: Stack, instrument: Instrument = SURVEY) -> NDArray[np.float64]:
    return simulator.draw(stack, simulator.emit(stack), instrument.energy_axis(), analyser_fwhm_eV=1.0)


def orbital(simulator: StackSimulator, emission: StackEmission, element: str, name: str) -> StackEmission:
    """The entries of one line of an element, in all layers."""
    table = simulator.table
    lines = [
        line for line in range(len(table)) if ELEMENTS[table.element[line]] == element and table.orbital[line] == name
    ]
    return emission[np.isin(emission.line, lines)]


@cache
def whole_iron_oxide() -> tuple[StackSimulator, StackEmission, NDArray[np.float64]]:
    """A half-space: its simulator, lines and spectrum."""
    simulator, stack = StackSimulator(TILTED, Physics(surface_excitations=True)), Stack((layer("Fe2O3"),))
    return simulator, simulator.emit(stack), survey(simulator, stack, TILTED)


@cache
def covered_copper() -> tuple[StackSimulator, tuple[Layer, ...], NDArray[np.float64]]:
    """Three layers: their simulator, themselves, their spectrum."""
    simulator = StackSimulator(SURVEY, Physics(surface_excitations=True))
    layers = (layer("C5O", 9.0), layer("SiO2", 20.0), layer("Cu"))
    return simulator, layers, survey(simulator, Stack(layers))


@given(cuts=st.lists(st.floats(0.0, 60.0), min_size=1, max_size=4))
@settings(max_examples=5)
def test_layers_of_one_material_are_that_material(cuts: list[float]) -> None:
    """Covering and buried layers together are the half-space: every line, and the spectrum in every channel."""
    simulator, bulk, expected = whole_iron_oxide()
    split = Stack((*(layer("Fe2O3", thickness) for thickness in cuts), layer("Fe2O3")))
    emission = simulator.emit(split)
    together = np.bincount(emission.line, emission.intensity, len(simulator.table))
    np.testing.assert_allclose(together[bulk.line], bulk.intensity, rtol=1e-9)
    np.testing.assert_allclose(survey(simulator, split, TILTED), expected, rtol=0.0, atol=1e-9 * expected.max())


@given(thickness=st.floats(1.0, 80.0), below=st.booleans())
@settings(max_examples=5)
def test_what_is_lost_is_found_at_lower_energies(thickness: float, below: bool) -> None:
    """All electrons sent to the surface arrive there, with or without losses."""
    simulator = StackSimulator(TILTED, Physics(surface_excitations=True))
    film, cover = layer("Al", thickness), layer("Al", 30.0)
    stack = Stack((cover, film) if below else (film,))
    emission = simulator.emit(stack)
    own = emission[
        (emission.layer == len(stack.layers) - 1) & (emission.energy_eV > 1300.0) & (emission.band_eV == 0.0)
    ]
    axis = np.arange(-3000.0, 1600.0, 0.25)
    arrived = simulator.draw(stack, own, axis, analyser_fwhm_eV=0.8).sum() * 0.25
    sent = own.source.sum() * thickness
    assert arrived == pytest.approx(sent, rel=2e-3)
    assert own.intensity.sum() < sent


@pytest.mark.parametrize(("loss", "directed"), [("universal", False), ("SiO2", True), ("Al", False), ("Al", True)])
def test_the_closed_form_is_the_sum_over_orders(loss: str, directed: bool) -> None:
    """A film under another: Poisson weights for what is crossed, incomplete gammas for where it starts.

    The part of the asymmetry (`directed`) is lost to elastic deflections too: each loss keeps 1 − ω of it.
    """
    simulator = StackSimulator(SURVEY, Physics())
    stack = Stack((layer("SiO2", 18.0, loss=loss), layer("Ag", 35.0, loss=loss), layer("Si")))
    line = orbital(simulator, simulator.emit(stack), "Ag", "3d5/2")
    nothing = np.zeros_like(line.source)
    line = replace(line, lorentz_fwhm_eV=np.zeros(1), singularity=np.zeros(1))
    line = replace(line, source=nothing, directed=line.source) if directed else replace(line, directed=nothing)
    step = 0.2
    axis = np.arange(900.0, 1240.0, step)
    spectrum = simulator.draw(stack, line, axis, analyser_fwhm_eV=1.0)
    without = simulator.draw(stack, line, axis, analyser_fwhm_eV=1.0, losses="none") / line.intensity[0]
    if directed:
        kept, paths, turned = 1.0 - line.albedo[0], line.inelastic_paths, line.elastic_paths
        amplitude = line.directed[0, 0] * line.imfp_A[0]
    else:
        kept, paths, turned = 1.0, line.paths, np.zeros_like(line.paths)
        amplitude = line.source[0, 0] * line.attenuation_length_A[0]
    crossed, own = float(line.above(paths)[0].sum()), float(line.own(paths + turned)[0])
    gone = crossed + float(line.above(turned)[0].sum())
    start = [kept ** (n + 1) * float(gammainc(n + 1, own)) for n in range(40)]
    cross = [float(np.exp(-gone) * crossed**n / factorial(n)) for n in range(40)]
    weights = np.convolve(start, cross)[:40] * amplitude
    expected = np.zeros(len(axis))
    scattered = without[::-1]
    probability = loss_function(loss, len(axis), step)
    for weight in weights:
        expected += weight * scattered[::-1]
        scattered = fftconvolve(scattered, probability)[: len(axis)]
    np.testing.assert_allclose(spectrum, expected, rtol=0.0, atol=1e-6 * expected.max())


@given(number=st.integers(0, 2), place=st.integers(0, 2))
@settings(max_examples=4)
def test_a_layer_without_thickness_changes_nothing(number: int, place: int) -> None:
    simulator, layers, expected = covered_copper()
    empty = layer(("Au", "Al", "Si")[number], 0.0)
    got = survey(simulator, Stack((*layers[:place], empty, *layers[place:])))
    np.testing.assert_allclose(got, expected, rtol=0.0, atol=1e-11 * expected.max())


def test_a_thick_layer_hides_what_lies_below() -> None:
    """Nothing comes through without a loss; what comes through with many is far down in the background."""
    simulator = StackSimulator(SURVEY, Physics())
    bare, covered = Stack((layer("Si"),)), Stack((layer("Si", 900.0), layer("Au")))
    emission = simulator.emit(covered)
    assert emission[emission.layer == 1].intensity.max() < 1e-9 * emission.intensity.max()
    high = SURVEY.energy_axis() > 1300.0
    expected = survey(simulator, bare)
    np.testing.assert_allclose(survey(simulator, covered)[high], expected[high], rtol=0.0, atol=1e-5 * expected.max())


@given(factor=st.floats(0.2, 5.0))
@settings(max_examples=5)
def test_a_thin_film_shines_by_its_atoms(factor: float) -> None:
    simulator = StackSimulator(SURVEY, STRAIGHT)
    thin, thinned = (
        simulator.emit(Stack((layer("Cu3Au", 1e-6, density), layer("Si"))))[:8].intensity
        for density in (12.0, 12.0 * factor)
    )
    np.testing.assert_allclose(thinned, factor * thin, rtol=1e-6)


def test_states_share_the_line_of_their_element() -> None:
    simulator = StackSimulator(SURVEY, Physics())
    stack = parse_stack("/Si[SiO2]3/Si1/O8/ | Si[SiO2] 4.1 eV")
    line = orbital(simulator, simulator.emit(stack), "Si", "2p3/2")
    tags = np.array([stack.layers[0].states[place].tag for place in line.state])
    shifted, own = line[tags == "SiO2"], line[tags == ""]
    assert own.energy_eV[0] - shifted.energy_eV[0] == pytest.approx(4.1)
    assert shifted.intensity[0] / own.intensity[0] == pytest.approx(3.0, rel=5e-3)


def test_cross_sections_are_scofields() -> None:
    """Ratios to C 1s, 13 637 barn, at 1486.6 eV."""
    published = {
        ("F", "1s"): 4.428, ("O", "1s"): 2.931, ("Cu", "2p3/2"): 16.76, ("Ag", "3d5/2"): 10.67, ("Au", "4f7/2"): 9.590,
    }  # fmt: skip
    simulator = StackSimulator(SURVEY, Physics(shake_up=False))
    emission = simulator.emit(parse_stack("CFOCuAgAu"))
    carbon = orbital(simulator, emission, "C", "1s").cross_section_barn[0]
    assert carbon == pytest.approx(13_637.0, rel=7e-3)
    for (element, name), ratio in published.items():
        sigma = orbital(simulator, emission, element, name).cross_section_barn[0]
        assert sigma / carbon == pytest.approx(ratio, rel=7e-3)


@pytest.mark.parametrize("source", ["AlKa", "MgKa", "AlKa-mono"])
def test_drawn_areas_are_the_listed_intensities(source: str) -> None:
    """Each line without its losses, on a coarse axis and on a fine one; satellites come on top."""
    instrument = Instrument(source=source, window_eV=(700.0, 1250.0))
    simulator = StackSimulator(instrument, Physics())
    stack = parse_stack("C5O | 12 Å; Cu2O")
    emission = simulator.emit(stack)
    photo = simulator.table.kind[emission.line] != LineKind.AUGER
    added = sum(height for _, height in xray_sources()[source].satellites)
    expected = emission.intensity.sum() + added * emission.intensity[photo].sum()
    for step in (0.05, 0.4):
        axis = np.arange(-2000.0, 4000.0, step)
        area = simulator.draw(stack, emission, axis, analyser_fwhm_eV=1.0, losses="none").sum() * step
        assert area == pytest.approx(expected, rel=1e-3)


def test_the_background_below_a_line_does_not_depend_on_the_steps_of_the_axis() -> None:
    simulator = StackSimulator(SURVEY, Physics())
    stack = parse_stack("C5O | 12 Å; Cu2O")
    emission = simulator.emit(stack)
    coarse = np.arange(700.0, 1480.0, 2.0)
    spectra = [
        simulator.draw(stack, emission, axis, analyser_fwhm_eV=2.0)
        for axis in (coarse, np.arange(700.0, 1478.05, 0.1), np.arange(700.0, 1478.005, 0.02))
    ]
    np.testing.assert_allclose(spectra[1][::20], spectra[0], rtol=0.0, atol=2e-3 * spectra[0].max())
    np.testing.assert_allclose(spectra[2][::100], spectra[0], rtol=0.0, atol=2e-3 * spectra[0].max())


def test_an_oxide_shakes_up_what_a_metal_keeps() -> None:
    """The subshell's intensity is shared with its satellites, not raised."""
    with_it, without = (StackSimulator(SURVEY, Physics(shake_up=on)) for on in (True, False))
    oxide = parse_stack("CuO")
    shaken, plain = with_it.emit(oxide), without.emit(oxide)
    kinds = with_it.table.kind[shaken.line]
    assert (kinds == LineKind.SHAKE_UP).any()
    assert LineKind.SHAKE_UP not in with_it.table.kind[with_it.emit(parse_stack("Cu")).line]
    main = with_it.table.main_line[shaken.line]
    sigma = np.bincount(main, shaken.cross_section_barn, len(with_it.table))
    np.testing.assert_allclose(sigma[plain.line], plain.cross_section_barn, rtol=1e-9)


def test_lines_are_lopsided_in_metals_only() -> None:
    simulator, symmetric = StackSimulator(SURVEY, Physics()), StackSimulator(SURVEY, Physics(metal_asymmetry=False))
    metal, oxide = parse_stack("Ni"), parse_stack("NiO")
    assert orbital(simulator, simulator.emit(metal), "Ni", "2p3/2").singularity[0] > 0.0
    assert orbital(simulator, simulator.emit(oxide), "Ni", "2p3/2").singularity[0] == 0.0
    assert not symmetric.emit(metal).singularity.any()


def test_surface_excitations_are_losses() -> None:
    with_it, without = (StackSimulator(SURVEY, Physics(surface_excitations=on)) for on in (True, False))
    stack = parse_stack("Al")
    held, free = with_it.emit(stack), without.emit(stack)
    np.testing.assert_allclose(held.intensity, free.intensity * np.exp(-held.surface_paths[:, 0]), rtol=1e-12)
    np.testing.assert_array_equal(held.source, free.source)


def test_moved_lines_take_their_intensity_along() -> None:
    simulator = StackSimulator(SURVEY, Physics())
    stack = parse_stack("Cu")
    emission = simulator.emit(stack)
    moved = emission.shifted(np.full(len(emission), -3.0))
    axis = np.arange(500.0, 600.0, 0.25)
    first = simulator.draw(stack, emission, axis, analyser_fwhm_eV=1.0, losses="none")
    second = simulator.draw(stack, moved, axis - 3.0, analyser_fwhm_eV=1.0, losses="none")
    np.testing.assert_allclose(second, first, rtol=1e-9)
    np.testing.assert_array_equal(moved.intensity, emission.intensity)


@pytest.mark.parametrize(("cover_A", "cosine"), [(0.0, 1.0), (0.0, 0.6), (15.0, 1.0), (25.0, 0.7), (40.0, 0.9)])
def test_intensities_are_those_of_the_transport_equation(cover_A: float, cosine: float) -> None:
    """Silicon on niobium, against the integral equation of isotropic scattering, solved on a grid of depths.

    φ(τ) = e^{−τ/μ} + ½ ∫ ω(τ') E₁(|τ − τ'|) φ(τ') dτ' is the chance of an electron at the depth τ, in total mean
    free paths, to leave towards μ. Within 3 % for the formula with attenuation lengths, 0.3 % for a half-space.
    """
    instrument = Instrument(source_angle_deg=54.7356, emission_angle_deg=float(np.rad2deg(np.arccos(cosine))))
    simulator = StackSimulator(instrument, Physics())
    niobium = layer("Nb")
    stack = Stack((layer("Si", cover_A), niobium) if cover_A else (niobium,))
    line = orbital(simulator, simulator.emit(stack), "Nb", "3d5/2")
    edges, albedo, emitting, rate = [0.0], [], [], []
    for symbol, depth in (("Si", cover_A), ("Nb", 300.0)):
        place = np.array([[ELEMENT_INDEX[symbol]]])
        material = mix(place, np.ones((1, 1)))
        inelastic = float(inelastic_mean_free_path(material, line.energy_eV)[0])
        atoms = float(material.atoms_per_A3[0])
        elastic = float(transport_mean_free_path(place[0], np.ones(1), atoms, line.energy_eV)[0])
        cells = round(depth / 0.5)
        for _ in range(cells):
            edges.append(edges[-1] + 0.5 * (1.0 / inelastic + 1.0 / elastic))
            albedo.append(inelastic / (inelastic + elastic))
            emitting.append(atoms if symbol == "Nb" else 0.0)
            rate.append(1.0 / inelastic + 1.0 / elastic)
    edge = np.array(edges)
    middle, width = 0.5 * (edge[1:] + edge[:-1]), np.diff(edge)
    second = expn(2, np.abs(middle[:, None] - edge))
    kernel = np.abs(second[:, 1:] - second[:, :-1])
    np.fill_diagonal(kernel, 2.0 - np.diag(second) - np.diag(second[:, 1:]))
    direct = cosine * -np.diff(np.exp(-edge / cosine)) / width
    leaving = np.linalg.solve(np.eye(len(width)) - 0.5 * kernel * np.array(albedo), direct)
    expected = line.cross_section_barn[0] * np.sum(np.array(emitting) * width / np.array(rate) * leaving)
    assert line.intensity.sum() == pytest.approx(expected, rel=0.03 if cover_A else 0.003)


def test_the_batch_simulator_emits_the_same_lines() -> None:
    """Random samples of a data set under their overlayers: every line to 1e-3, though one interpolates and shares."""
    job = SpectraSettings()
    fast, exact = Simulator(job.samples, job.instrument, job.physics), StackSimulator(job.instrument, job.physics)
    for index in range(4):
        batch = draw_batch(job.samples, job.instrument, 2, Streams(3), np.array([index]))
        emission = exact.emit(batch_stack(job.samples, batch))
        below = emission[emission.layer == emission.layer.max()]
        order = np.argsort(exact.table.kinetic_energy_eV[below.line], kind="stable")
        lines = fast.expected(batch).lines
        seen = np.isin(fast.table.kinetic_energy_eV[lines.line], exact.table.kinetic_energy_eV)
        places = lines.line[seen]
        fast_order = np.argsort(fast.table.kinetic_energy_eV[places], kind="stable")
        np.testing.assert_allclose(lines.intensity[seen][fast_order], below.intensity[order], rtol=1e-3)


def test_stacks_that_cannot_be_are_refused() -> None:
    simulator = StackSimulator(SURVEY, Physics())
    with pytest.raises(UsageError, match="no layer"):
        simulator.emit(Stack(()))
    with pytest.raises(UsageError, match="layer 1"):
        simulator.emit(Stack((layer("Si"), layer("Cu"))))
    with pytest.raises(UsageError, match="thickness of -1"):
        simulator.emit(Stack((layer("Si", -1.0), layer("Cu"))))
    stack = Stack((Layer("Cu", (State("Cu", 1.0),)),))
    with pytest.raises(UsageError, match="even steps"):
        simulator.draw(stack, simulator.emit(stack), np.array([700.0, 701.0, 703.0]), analyser_fwhm_eV=1.0)


def test_only_lines_within_reach_are_emitted() -> None:
    simulator = StackSimulator(SURVEY, Physics())
    emission = simulator.emit(parse_stack("Au"))
    low = SURVEY.window_eV[0]
    whole = line_table("AlKa")
    gold = whole.element == ELEMENT_INDEX["Au"]
    above = gold & (whole.kinetic_energy_eV >= low) & (whole.kind != LineKind.SHAKE_UP)
    assert set(np.round(whole.kinetic_energy_eV[above], 6)) <= set(np.round(emission.energy_eV, 6))
