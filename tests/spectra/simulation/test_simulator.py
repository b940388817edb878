"""Laws that simulated spectra must obey."""

from __future__ import annotations

import numpy as np
import pytest

from tests.spectra.simulation.nominal_samples import expect, nominal_batch, quiet, simulate, simulator_of, substrate
from xpshpc.spectra.embedded import EmbeddedSource
from xpshpc.spectra.matter.layers import Stack
from xpshpc.spectra.settings import SpectraSettings
from xpshpc.spectra.simulation.stack_simulator import StackSimulator
from xpshpc.spectra.transport.escape import dipole_factor, surface_excitation


@pytest.fixture(scope="module")
def source() -> EmbeddedSource:
    return EmbeddedSource(SpectraSettings(), seed=20)


@pytest.mark.parametrize("thickness", [0.0, 3.0, 17.0, 40.0])
@pytest.mark.parametrize("surface", [False, True])
def test_a_film_on_its_own_material_is_that_material(thickness, surface):
    """Buried half-space plus covering layer of the same material equals the half-space, in every channel."""
    job = quiet({"surface_excitations": surface})
    covered = simulate(job, "C5O", thickness, 1.56)
    bare = simulate(job, "C5O", 0.0, 1.56)
    np.testing.assert_allclose(covered, bare, rtol=0, atol=7e-4 * bare.max())
    peak = bare.argmax()
    assert covered[peak] == pytest.approx(bare[peak], rel=1e-3)


def test_a_thick_film_is_all_there_is():
    """No line of the metal below 800 Å is left, and lines and near background are those of bulk C5O."""
    buried = expect(quiet(), "Cu", 800.0)
    bulk = simulate(quiet(), "C5O", 0.0, 1.56)
    assert buried.line_counts.max() < 1e-6 * bulk.max()
    energy = SpectraSettings().instrument.energy_axis()
    near = energy > 1150.0
    np.testing.assert_allclose(buried.counts[0][near], bulk[near], atol=2e-3 * bulk.max())


def test_an_overlayer_attenuates_by_its_attenuation_length():
    """Loss-free intensity falls as exp(−d/(L cos θ)), with L at the line's energy."""
    job = quiet(emission_angle_deg=30.0)
    simulator = simulator_of(job.model_dump_json())
    bare, covered = (expect(job, "Cu", thickness).lines for thickness in (0.0, 20.0))
    found = np.log(bare.intensity / covered.intensity) / 20.0
    np.testing.assert_allclose(found, simulator.film.paths_per_A(bare.energy_eV), rtol=1e-10)
    stack = StackSimulator(job.instrument, job.physics)
    carbon = stack.emit(Stack((substrate("C5O", 1.56),)))
    for energy, length in zip(carbon.energy_eV, carbon.attenuation_length_A, strict=True):
        at_line = simulator.film.paths_per_A(np.array([energy]))[0]
        assert 1.0 / (at_line * np.cos(np.deg2rad(30.0))) == pytest.approx(length, rel=3e-4)


LOSSES = {"Cu": "universal", "SiO2": "SiO2", "Si": "Si", "Ge": "Ge"}


@pytest.fixture(scope="module")
def backgrounds():
    """For each formula its spectrum with the background in wide cells, and with one in cells of a channel."""

    def spectra():
        return [
            simulate(quiet(analyser_fwhm_eV=[0.5, 1]), formula, 12.0, loss=loss) for formula, loss in LOSSES.items()
        ]

    coarse = spectra()
    simulator_of.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xpshpc.spectra.simulation.background._WIDEST_CELL_EV", 0.6)
        fine = spectra()
    simulator_of.cache_clear()
    return dict(zip(LOSSES, zip(coarse, fine, strict=True), strict=True))


@pytest.mark.parametrize("formula", LOSSES)
def test_the_coarse_background_is_the_fine_one(formula, backgrounds):
    """Cells of two to eight channels against cells of one: within 1e-3 of the strongest channel, rms within 3e-4."""
    coarse, fine = backgrounds[formula]
    np.testing.assert_allclose(coarse, fine, atol=1e-3 * fine.max())
    assert np.sqrt(np.mean((coarse - fine) ** 2)) < 3e-4 * fine.max()


def test_surface_excitations_move_electrons_and_lose_none():
    """Each electron keeps its losses and has P_s more: of a half-space's even spread over the number of losses, P_s
    electrons are pushed below any energy far from the line, for each that left without a loss before.
    """
    window = {"window_eV": [300.0, 1486.0], "channels": 2300, "source": "AlKa-mono"}
    samples = {"overlayer_A": [0.0, 1.0]}
    found = [
        expect(quiet({"surface_excitations": on, "loss_functions": "universal"}, samples, **window), "Be", 0.0)
        for on in (False, True)
    ]
    electrons = [one.counts[0] * (one.lines.intensity / one.line_counts).max() for one in found]
    paths = np.log(found[0].lines.intensity / found[1].lines.intensity)
    np.testing.assert_allclose(paths, surface_excitation(found[0].lines.energy_eV, 1.0), rtol=1e-9)
    pushed = (electrons[0] - electrons[1]).sum()
    assert pushed == pytest.approx((found[0].lines.intensity * paths).sum(), rel=0.03)


def test_counts_under_a_line_are_its_area():
    """C 1s above its background, and the same through a transmission that halves it."""
    table = [[300.0, 1.0], [1100.0, 1.0], [1150.0, 0.5], [1300.0, 0.5], [1400.0, 1.0], [1500.0, 1.0]]
    for transmission in ([], table):
        job = quiet(window_eV=[1100.0, 1486.0], channels=4096, source="AlKa-mono", transmission_table=transmission)
        found = expect(job, "C", 0.0, transmission_exponent=0.5)
        energy = job.instrument.energy_axis()
        line = found.lines.energy_eV[found.line_counts.argmax()]
        near = np.abs(energy - line) < 6.0
        counts = found.counts[0]
        base = np.interp(energy[near], energy[near][[0, -1]], counts[near][[0, -1]])
        assert (counts[near] - base).sum() == pytest.approx(found.line_counts.max(), rel=0.06)


def test_lines_do_not_depend_on_the_window():
    """A narrow window shows the background of lines above it: the same spectrum, cut out."""
    wide = simulate(quiet(window_eV=[400, 1400], channels=2000), "Cu2O", 5.0)
    narrow = simulate(quiet(window_eV=[500, 700], channels=400), "Cu2O", 5.0)
    cut = wide[200:600]
    np.testing.assert_allclose(narrow / narrow.max(), cut / cut.max(), atol=4e-3)


def test_the_background_can_be_scaled():
    """The spectrum is linear in the scale: what is added is the background, once more."""
    job = quiet()
    plain, none, twice = (expect(job, "Cu", 10.0, background_scale=scale) for scale in (1.0, 0.0, 2.0))
    gains = [(found.line_counts / found.lines.intensity).max() for found in (none, plain, twice)]
    electrons = [found.counts[0] / gain for found, gain in zip((none, plain, twice), gains, strict=True)]
    np.testing.assert_allclose(electrons[2] - electrons[1], electrons[1] - electrons[0], atol=1e-5 * electrons[1].max())


def test_charging_and_work_function_move_the_spectrum_down_the_axis():
    job = quiet()
    step = 4 * job.instrument.channel_eV
    plain = simulate(job, "Cu", 10.0)
    charged = simulate(job, "Cu", 10.0, charging_shift_eV=step)
    worked = simulate(quiet(work_function_eV=step), "Cu", 10.0)
    for moved in (charged, worked):
        np.testing.assert_allclose(moved[:-4], plain[4:], atol=0.02 * plain.max())


def test_pure_sums_are_sums_of_pure_spectra():
    """Each element's lines as from its own solid, times its atomic fraction."""
    job = quiet(samples={"recipe": "pure_sums", "elements_per_sample": [1, 2]})
    simulator = simulator_of(job.model_dump_json())

    def electrons(fractions: dict[str, float]) -> np.ndarray:
        found = simulator.expected(nominal_batch(job, simulator, fractions, overlayer_A=0.0))
        gain = (found.line_counts / found.lines.intensity).max()
        return found.counts[0] / gain

    mixed, copper, gold = electrons({"Cu": 0.3, "Au": 0.7}), electrons({"Cu": 1.0}), electrons({"Au": 1.0})
    np.testing.assert_allclose(mixed, 0.3 * copper + 0.7 * gold, atol=1e-5 * mixed.max())


def test_the_strongest_channel_has_the_dose_and_the_darkest_the_detectors(source):
    batch = source.draw(np.arange(64))
    expected = source.simulator.expected_counts(batch)
    np.testing.assert_allclose(expected.max(axis=1), batch.peak_counts, rtol=1e-6)
    assert (expected.min(axis=1) >= batch.detector_background * batch.peak_counts * (1 - 1e-9)).all()


def test_the_magic_angle_forgets_asymmetry():
    """At 54.7° the dipole factor is 1 for every line."""
    np.testing.assert_allclose(dipole_factor(np.linspace(-1, 2, 7), 54.7356), 1.0, atol=1e-6)
    angles = np.linspace(0, np.pi, 20_001)
    over_sphere = [dipole_factor(np.array([1.4]), float(np.rad2deg(a)))[0] for a in angles]
    assert np.trapezoid(over_sphere * np.sin(angles), angles) / 2 == pytest.approx(1.0, abs=1e-6)
