"""Laws that simulated spectra must obey."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xpshpc.errors import UsageError
from xpshpc.spectra.batch import draw_batch
from xpshpc.spectra.elements import ELEMENT_INDEX, ELEMENTS
from xpshpc.spectra.embedded import EmbeddedSource, nominal_batch, stored_batch
from xpshpc.spectra.escape import dipole_factor
from xpshpc.spectra.line_list import list_lines
from xpshpc.spectra.sample import parse_formula
from xpshpc.spectra.settings import SpectraSettings
from xpshpc.spectra.simulator import Simulator


@pytest.fixture(scope="module")
def source() -> EmbeddedSource:
    return EmbeddedSource(SpectraSettings(), seed=20)


def simulate(job: SpectraSettings, formula: str, overlayer_A: float, density: float | None = None) -> np.ndarray:
    simulator = Simulator(job.samples, job.instrument)
    batch = nominal_batch(job, simulator, parse_formula(formula), overlayer_A=overlayer_A, density_g_cm3=density)
    return simulator.expected_counts(batch)[0]


def quiet(**instrument) -> SpectraSettings:
    """Settings without transmission, detector background and spread in resolution."""
    fixed = {"transmission_exponent": [0, 0], "detector_background": [0, 0], "analyser_fwhm_eV": [1, 1]}
    return SpectraSettings.model_validate({"instrument": {**fixed, **instrument}})


@pytest.mark.parametrize("thickness", [0.0, 3.0, 17.0, 40.0])
def test_a_film_on_its_own_material_is_that_material(thickness):
    """Buried half-space plus covering layer of the same material equals the half-space, in every channel."""
    job = quiet()
    covered = simulate(job, "C5O", thickness, density=1.56)
    bare = simulate(job, "C5O", 0.0, density=1.56)
    np.testing.assert_allclose(covered, bare, rtol=0, atol=7e-4 * bare.max())
    peak = bare.argmax()
    assert covered[peak] == pytest.approx(bare[peak], rel=1e-3)


def test_an_overlayer_attenuates_by_its_mean_free_path():
    """Loss-free intensity falls as exp(−d/(λ cos θ)) with λ at the line's energy."""
    job = quiet(emission_angle_deg=30.0)
    simulator = Simulator(job.samples, job.instrument)

    def copper(thickness):
        lines = list_lines(simulator, nominal_batch(job, simulator, {"Cu": 1.0}, overlayer_A=thickness))
        return {line.orbital: line for line in lines if line.element == "Cu"}

    bare, covered = copper(0.0), copper(20.0)
    carbon = next(
        line
        for line in list_lines(simulator, nominal_batch(job, simulator, {"Cu": 1.0}, overlayer_A=20.0))
        if line.layer == "overlayer" and line.orbital == "1s" and line.element == "C"
    )
    deep, shallow = (np.log(bare[k].intensity / covered[k].intensity) for k in ("2p3/2", "3p3/2"))
    assert deep > shallow > 0, "slow electrons are stopped more"
    assert 20.0 / (carbon.imfp_A * np.cos(np.deg2rad(30.0))) == pytest.approx(0.5 * (deep + shallow), rel=0.35)


def test_peak_areas_follow_the_listed_intensities():
    """The area of Au 4f above its background is to that of C 1s as their line intensities are."""
    job = quiet(window_eV=[1100, 1486.0], channels=4096)
    simulator = Simulator(job.samples, job.instrument)
    batch = nominal_batch(job, simulator, {"Au": 0.5, "C": 0.5}, overlayer_A=0.0)
    spectrum, energy = simulator.expected_counts(batch)[0], simulator.kinetic_energy_eV
    lines = list_lines(simulator, batch)

    def area(low, high):
        part = (energy >= low) & (energy < high)
        base = np.interp(energy[part], [low, high], [spectrum[part][0], spectrum[part][-1]])
        return (spectrum[part] - base).sum()

    def listed(element, *orbitals):
        return sum(line.intensity for line in lines if line.element == element and line.orbital in orbitals)

    measured = area(1390, 1408) / area(1196, 1208)
    assert measured == pytest.approx(listed("Au", "4f5/2", "4f7/2") / listed("C", "1s"), rel=0.08)


def test_lines_do_not_depend_on_the_window():
    """A narrow window shows the background of lines above it: the same spectrum, cut out."""
    wide = simulate(quiet(window_eV=[400, 1400], channels=2000), "Cu2O", 5.0)
    narrow = simulate(quiet(window_eV=[500, 700], channels=400), "Cu2O", 5.0)
    cut = wide[200:600]
    np.testing.assert_allclose(narrow / narrow.max(), cut / cut.max(), atol=4e-3)


def test_the_strongest_channel_has_the_dose_and_the_darkest_the_detectors(source):
    batch = source.draw(np.arange(64))
    expected = source.simulator.expected_counts(batch)
    np.testing.assert_allclose(expected.max(axis=1), batch.peak_counts, rtol=1e-9)
    assert (expected.min(axis=1) >= batch.detector_background * batch.peak_counts * (1 - 1e-9)).all()


def test_the_magic_angle_forgets_asymmetry():
    """At 54.7° the dipole factor is 1 for every line."""
    np.testing.assert_allclose(dipole_factor(np.linspace(-1, 2, 7), 54.7356), 1.0, atol=1e-6)
    angles = np.linspace(0, np.pi, 20_001)
    over_sphere = [dipole_factor(np.array([1.4]), float(np.rad2deg(a)))[0] for a in angles]
    assert np.trapezoid(over_sphere * np.sin(angles), angles) / 2 == pytest.approx(1.0, abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(indices=st.lists(st.integers(0, 2**34), min_size=1, max_size=9, unique=True))
def test_a_sample_is_the_same_alone_and_in_company(source, indices):
    together = source.make(np.array(indices))
    for row, index in enumerate(indices):
        alone = source.make(np.array([index]))
        for name, values in alone.items():
            np.testing.assert_array_equal(values[0], together[name][row], err_msg=name)


def test_a_stored_sample_can_be_made_again_from_its_parameters(source):
    indices = np.array([3, 77, 12_345])
    made = source.make(indices)
    np.testing.assert_array_equal(source.measure(stored_batch(made, indices)), made["spectrum"])


def test_arrays_are_what_the_source_says(source):
    made = source.make(np.arange(5))
    assert set(made) == {spec.name for spec in source.arrays()}
    for spec in source.arrays():
        assert made[spec.name].shape == (5, *spec.shape) and made[spec.name].dtype == spec.dtype


def test_drawn_samples_are_compositions(source):
    job = SpectraSettings()
    batch = draw_batch(job.samples, job.instrument, 2, source._streams, np.arange(4000))
    composition = batch.composition()
    np.testing.assert_allclose(composition.sum(axis=1), 1.0, atol=1e-6)
    count = (composition > 0).sum(axis=1)
    assert count.min() == 1 and count.max() == 5
    np.testing.assert_allclose(np.bincount(count)[1:] / 4000, 0.2, atol=0.03)
    chance = (composition > 0).mean(axis=0)
    np.testing.assert_allclose(chance, 3 / 80, atol=5 * np.sqrt(3 / 80 / 4000))
    assert np.abs(batch.shifts).max() <= 5.0 and np.abs(batch.overlayer_shifts).max() <= 0.5
    assert batch.overlayer_A.min() >= 0 and batch.overlayer_A.max() <= 40.0


@pytest.mark.parametrize("symbol", ELEMENTS)
def test_every_element_makes_a_spectrum(source, symbol):
    batch = nominal_batch(SpectraSettings(), source.simulator, {symbol: 1.0}, overlayer_A=0.0)
    spectrum = source.simulator.expected_counts(batch)[0]
    assert np.isfinite(spectrum).all() and (spectrum >= 0).all()
    strongest = list_lines(source.simulator, batch)[0]
    assert ELEMENT_INDEX[strongest.element] == ELEMENT_INDEX[symbol]


def test_too_many_counts_are_refused_before_they_are_cut_off():
    with pytest.raises(ValueError, match="overflow uint16"):
        SpectraSettings.model_validate({"instrument": {"peak_counts": [100, 65_000]}})
    SpectraSettings.model_validate({"instrument": {"peak_counts": [100, 65_000], "counts": "float32"}})


def test_an_unknown_formula_for_the_overlayer_is_refused():
    with pytest.raises(UsageError):
        Simulator(
            SpectraSettings.model_validate({"samples": {"overlayer": "C5Qq"}}).samples, SpectraSettings().instrument
        )
