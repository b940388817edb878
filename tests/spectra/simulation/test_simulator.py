"""Laws that simulated spectra must obey."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xpshpc.errors import UsageError
from xpshpc.spectra.elements import ELEMENT_INDEX, ELEMENTS
from xpshpc.spectra.embedded import EmbeddedSource, stored_batch
from xpshpc.spectra.lines.line_table import LineTable
from xpshpc.spectra.matter.batch import SampleBatch, draw_batch
from xpshpc.spectra.matter.layers import Layer, Stack, State
from xpshpc.spectra.matter.materials import mix
from xpshpc.spectra.matter.sample import parse_formula
from xpshpc.spectra.settings import SpectraSettings
from xpshpc.spectra.simulation.simulator import Expectation, Simulator
from xpshpc.spectra.simulation.stack_simulator import StackSimulator
from xpshpc.spectra.transport.escape import dipole_factor, surface_excitation
from xpshpc.spectra.transport.loss_functions import LOSS_FUNCTIONS, natural_loss


def nominal_batch(
    settings: SpectraSettings,
    simulator: Simulator,
    fractions: dict[str, float],
    *,
    overlayer_A: float,
    density_g_cm3: float | None = None,
) -> SampleBatch:
    """One sample of a given composition without shifts, measured with the middle of the instrument's ranges."""
    instrument = settings.instrument
    count = len(fractions)

    def middle(bounds: tuple[float, float]) -> np.ndarray:
        return np.array([0.5 * (bounds[0] + bounds[1])])

    elements = np.array([[ELEMENT_INDEX[symbol] for symbol in fractions]], dtype=np.intp)
    shares = np.array([list(fractions.values())])
    return SampleBatch(
        index=np.zeros(1, dtype=np.int64),
        elements=elements,
        fractions=shares,
        shifts=np.zeros((1, count)),
        overlayer_A=np.array([overlayer_A]),
        overlayer_shifts=np.zeros((1, len(simulator.overlayer_elements))),
        peak_counts=np.array([instrument.peak_counts[1]]),
        analyser_fwhm_eV=middle(instrument.analyser_fwhm_eV),
        transmission_exponent=middle(instrument.transmission_exponent),
        detector_background=middle(instrument.detector_background),
        density_g_cm3=mix(elements, shares, density=density_g_cm3).density,
        band_gap_eV=np.zeros(1),
        loss=np.zeros(1, dtype=np.intp),
        charging_shift_eV=middle(instrument.charging_shift_eV),
        background_scale=middle(instrument.background_scale),
    )


@pytest.fixture(scope="module")
def source() -> EmbeddedSource:
    return EmbeddedSource(SpectraSettings(), seed=20)


@cache
def simulator_of(job: str) -> Simulator:
    settings = SpectraSettings.model_validate_json(job)
    return Simulator(settings.samples, settings.instrument, settings.physics)


def expect(
    job: SpectraSettings,
    formula: str,
    overlayer_A: float,
    density: float | None = None,
    loss: str | None = None,
    **device: float,
) -> Expectation:
    """The expectation of one sample with its natural loss function; `device` replaces figures of the measurement."""
    simulator = simulator_of(job.model_dump_json())
    fractions = parse_formula(formula)
    batch = nominal_batch(job, simulator, fractions, overlayer_A=overlayer_A, density_g_cm3=density)
    place = LOSS_FUNCTIONS.index(loss or natural_loss(fractions))
    changed = {name: np.array([value]) for name, value in device.items()}
    return simulator.expected(replace(batch, loss=np.array([place]), **changed))


def simulate(job: SpectraSettings, formula: str, overlayer_A: float, *args: float, **device: float) -> np.ndarray:
    return expect(job, formula, overlayer_A, *args, **device).counts[0]


def quiet(physics: dict | None = None, samples: dict | None = None, **instrument) -> SpectraSettings:
    """Settings without transmission, detector background and spread in resolution."""
    fixed = {"transmission_exponent": [0, 0], "detector_background": [0, 0], "analyser_fwhm_eV": [1, 1]}
    return SpectraSettings.model_validate(
        {"instrument": {**fixed, **instrument}, "physics": physics or {}, "samples": samples or {}}
    )


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


def substrate(formula: str, density: float, gap: float = 0.0) -> Layer:
    fractions = parse_formula(formula)
    states = tuple(State(symbol, share) for symbol, share in fractions.items())
    return Layer(formula, states, density_g_cm3=density, band_gap_eV=gap, loss=natural_loss(fractions))


@pytest.mark.parametrize(
    ("formula", "density", "gap", "thickness", "fwhm", "physics", "instrument"),
    [
        ("Cu", 8.96, 0.0, 0.0, 0.5, {}, {}),
        ("Cu", 8.96, 0.0, 12.0, 1.2, {}, {}),
        ("Al", 2.70, 0.0, 12.0, 1.2, {}, {}),
        ("SiO2", 2.20, 8.9, 12.0, 0.8, {}, {}),
        ("Fe2O3", 5.24, 2.1, 5.0, 0.7, {}, {"work_function_eV": 4.3}),
        ("Au", 19.3, 0.0, 40.0, 1.0, {}, {}),
        ("Cu2O", 6.0, 2.1, 25.0, 0.8, {"surface_excitations": True}, {}),
        ("Cu2O", 6.0, 2.1, 25.0, 0.8, {"elastic_scattering": False, "imfp": "TPP-2M"}, {}),
        ("Cu2O", 6.0, 2.1, 25.0, 0.8, {"loss_functions": "universal", "shake_up": False}, {}),
        ("Ti", 4.5, 0.0, 8.0, 1.0, {"metal_asymmetry": False}, {}),
        ("Cu2O", 6.0, 2.1, 25.0, 0.8, {}, {"source": "MgKa", "window_eV": [300.0, 1253.0], "emission_angle_deg": 45.0}),
    ],
)  # fmt: skip
def test_spectra_are_those_of_the_exact_simulator(formula, density, gap, thickness, fwhm, physics, instrument):
    """Every channel within 2.5 % of the strongest (lines' places are rounded), the rms within 0.25 %."""
    job = quiet(physics, analyser_fwhm_eV=[0.5, 1.5], **instrument)
    axis, width = job.instrument.energy_axis() + job.instrument.work_function_eV, job.instrument.channel_eV
    found = simulate(job, formula, thickness, density, band_gap_eV=gap, analyser_fwhm_eV=fwhm)
    film = parse_formula("C5O")
    over = Layer("C5O", tuple(State(symbol, share) for symbol, share in film.items()), thickness, 1.56)
    stack = Stack((*([over] if thickness else []), substrate(formula, density, gap)))
    exact = StackSimulator(job.instrument, job.physics)
    parts = 6
    points = (axis[:, None] + width * ((np.arange(parts) + 0.5) / parts - 0.5)).ravel()
    drawn = exact.draw(stack, exact.emit(stack), points, analyser_fwhm_eV=fwhm).reshape(-1, parts).mean(axis=1)
    difference = found / found.sum() * drawn.sum() - drawn
    assert np.abs(difference).max() < 0.025 * drawn.max()
    assert np.sqrt(np.mean(difference**2)) < 2.5e-3 * drawn.max()


@pytest.mark.parametrize("formula", ["Cu", "Fe2O3", "SrTiO3", "Ti"])
@pytest.mark.parametrize(("thickness", "angle"), [(20.0, 54.7356), (0.0, 90.0), (20.0, 90.0), (20.0, 0.0)])
def test_lines_have_the_intensities_of_the_exact_simulator(formula, thickness, angle):
    """To 3e-4 for every line: curves are read between their nodes."""
    job = quiet({"surface_excitations": True}, source_angle_deg=angle)
    found = expect(job, formula, thickness, 5.0)
    film = parse_formula("C5O")
    over = Layer("C5O", tuple(State(symbol, share) for symbol, share in film.items()), thickness, 1.56)
    exact = StackSimulator(job.instrument, job.physics)
    emission = exact.emit(Stack((over, substrate(formula, 5.0))))
    below = np.flatnonzero((emission.layer == 1) & (emission.intensity > 0))

    def identity(table: LineTable, line: int) -> tuple[str, int, float]:
        return table.orbital[line], table.element[line], table.kinetic_energy_eV[line]

    known = {identity(exact.table, emission.line[k]): k for k in below}
    table = simulator_of(job.model_dump_json()).table
    expected = emission.intensity[[known[identity(table, line)] for line in found.lines.line]]
    ratio = found.lines.intensity / expected
    np.testing.assert_allclose(ratio, np.median(ratio), rtol=3e-4)


@pytest.mark.parametrize(("formula", "loss"), [("Cu", "universal"), ("SiO2", "SiO2"), ("Si", "Si"), ("Ge", "Ge")])
def test_the_coarse_background_is_the_fine_one(formula, loss, monkeypatch):
    """Cells of two to eight channels against cells of one: within 1e-3 of the strongest channel, rms within 3e-4."""
    coarse = simulate(quiet(analyser_fwhm_eV=[0.5, 1]), formula, 12.0, loss=loss)
    simulator_of.cache_clear()
    monkeypatch.setattr("xpshpc.spectra.simulation.background._WIDEST_CELL_EV", 0.6)
    fine = simulate(quiet(analyser_fwhm_eV=[0.5, 1]), formula, 12.0, loss=loss)
    np.testing.assert_allclose(coarse, fine, atol=1e-3 * fine.max())
    simulator_of.cache_clear()
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


@settings(max_examples=15, deadline=None)
@given(indices=st.lists(st.integers(0, 2**34), min_size=1, max_size=9, unique=True))
def test_a_sample_is_the_same_alone_and_in_company(source, indices):
    together = source.make(np.array(indices))
    for row, index in enumerate(indices):
        alone = source.make(np.array([index]))
        for name, values in alone.items():
            np.testing.assert_array_equal(values[0], together[name][row], err_msg=name)


@pytest.mark.parametrize("recipe", ["mixtures", "pure_sums", "compounds"])
def test_expected_counts_are_equal_to_the_last_bit_however_a_batch_is_split(recipe):
    """Also where a block ends inside the batch, and where samples of different loss functions take turns."""
    job = SpectraSettings.model_validate({"samples": {"recipe": recipe}})
    source = EmbeddedSource(job, seed=5)
    batch = source.draw(np.arange(140))
    batch = replace(batch, loss=np.arange(140) % len(LOSS_FUNCTIONS))
    whole = source.simulator.expected(batch)
    for size in (1, 2, 7, 64, 100):
        start = 33
        piece = source.simulator.expected(batch[start : min(start + size, 140)])
        np.testing.assert_array_equal(piece.counts, whole.counts[start : start + size])
        for row in range(len(piece.counts)):
            mine, its = piece.lines.sample == row, whole.lines.sample == start + row
            np.testing.assert_array_equal(piece.line_counts[mine], whole.line_counts[its])


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
    found = source.simulator.expected(batch)
    assert np.isfinite(found.counts).all() and (found.counts >= 0).all()
    assert (source.simulator.table.element[found.lines.line] == ELEMENT_INDEX[symbol]).all()
    assert found.line_counts.max() > 0.0


def test_too_many_counts_are_refused_before_they_are_cut_off():
    with pytest.raises(ValueError, match="overflow uint16"):
        SpectraSettings.model_validate({"instrument": {"peak_counts": [100, 65_000]}})
    SpectraSettings.model_validate({"instrument": {"peak_counts": [100, 65_000], "counts": "float32"}})


def test_an_unknown_formula_for_the_overlayer_is_refused():
    with pytest.raises(UsageError):
        Simulator(
            SpectraSettings.model_validate({"samples": {"overlayer": "C5Qq"}}).samples,
            SpectraSettings().instrument,
            SpectraSettings().physics,
        )
