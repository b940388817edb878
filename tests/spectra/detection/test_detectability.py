"""Detection limits mean what Currie meant by them, and what they do to labels."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import ndtr, voigt_profile

from xpshpc.spectra.detection.detectability import (
    UNSEEN,
    LineWindows,
    SpectrumLines,
    detection_limits,
    element_weights,
    expected_limits,
    leave_out_undetectable,
    line_windows,
    pseudo_voigt,
    spectrum_lines,
)
from xpshpc.spectra.elements import ELEMENT_INDEX
from xpshpc.spectra.embedded import EmbeddedSource
from xpshpc.spectra.learning.problem import XpsProblem
from xpshpc.spectra.lines.lineshape import line_profile
from xpshpc.spectra.matter.batch import SampleBatch
from xpshpc.spectra.matter.materials import mix
from xpshpc.spectra.settings import SpectraSettings

SIGMA_PER_FWHM = 1 / 2.354820045
AXIS = 400.0 + 0.5 * np.arange(400)


def gaussian_spectrum(lines: SpectrumLines, background: float, samples: int = 1) -> np.ndarray:
    """Expected counts: Gaussian lines, each channel's share exact, over a constant background."""
    spectra = np.full((samples, len(AXIS)), background)
    for sample, energy, counts, width in zip(
        lines.sample, lines.energy_eV, lines.counts, lines.gauss_fwhm_eV, strict=True
    ):
        edges = np.append(AXIS - 0.25, AXIS[-1] + 0.25)
        spectra[sample] += counts * np.diff(ndtr((edges - energy) / (width * SIGMA_PER_FWHM)))
    return spectra


def gaussian_lines(*entries: tuple[int, int, float, float], fwhm: float = 2.0) -> SpectrumLines:
    """Lines given as (sample, place, energy, counts)."""
    sample, place, energy, counts = zip(*entries, strict=True)
    return SpectrumLines(
        np.array(sample), np.array(place), np.array(energy), np.array(counts, float),
        np.zeros(len(entries)), np.full(len(entries), fwhm), np.zeros(len(entries)),
    )  # fmt: skip


@pytest.mark.parametrize("lorentz", [0.0, 0.1, 0.5, 1.0, 3.0])
def test_width_and_shape_are_those_of_a_voigt_profile(lorentz):
    sigma = 1.0 * SIGMA_PER_FWHM
    half = brentq(lambda x: voigt_profile(x, sigma, lorentz / 2) - voigt_profile(0, sigma, lorentz / 2) / 2, 0.1, 9)
    width, mixing = pseudo_voigt(np.array([lorentz]), np.array([1.0]))
    near = np.linspace(-6.0, 6.0, 25)
    gauss = np.exp(-0.5 * (near / (width * SIGMA_PER_FWHM)) ** 2) / (np.sqrt(2 * np.pi) * width * SIGMA_PER_FWHM)
    approximate = mixing * width / (2 * np.pi * (near**2 + width**2 / 4)) + (1 - mixing) * gauss
    exact = voigt_profile(near, sigma, lorentz / 2)
    np.testing.assert_allclose(approximate, exact, atol=0.015 * exact.max())
    assert width[0] == pytest.approx(2 * half, rel=3e-4)


def test_a_window_tells_its_line_from_the_rest():
    """Over a constant background the window holds that background, and 98 % of a Gaussian line."""
    lines = gaussian_lines((0, 0, 480.1, 5000.0))
    windows = line_windows(gaussian_spectrum(lines, 70.0), AXIS, 1, lines)
    channels = np.count_nonzero(np.abs(AXIS - 480.1) <= 2.0)
    assert windows.background[0, 0] == pytest.approx(70.0 * channels, rel=1e-9)
    assert windows.net[0, 0] == pytest.approx(5000.0 * 0.981, rel=0.01)


@pytest.mark.parametrize(("lorentz", "gauss", "singularity"), [(0.2, 1.3, 0.05), (0.2, 1.3, 0.2), (2.0, 1.3, 0.1)])
def test_a_window_knows_the_tail_of_a_metals_line(lorentz, gauss, singularity):
    """What it takes for the line is the line's own profile inside the window, to 3 %; the tail is background."""
    one = np.ones(1)
    lines = replace(
        gaussian_lines((0, 0, 480.0, 1.0), fwhm=gauss), lorentz_fwhm_eV=lorentz * one, singularity=singularity * one
    )
    fine = np.arange(AXIS[0] - 0.25, AXIS[-1] + 0.25, 0.01) + 0.005
    counts = line_profile(fine - 480.0, lorentz, gauss, singularity).reshape(-1, 50).sum(axis=1) * 0.01
    windows = line_windows(counts[None, :], AXIS, 1, lines)
    width, _ = pseudo_voigt(lines.lorentz_fwhm_eV, lines.gauss_fwhm_eV)
    assert windows.net[0, 0] == pytest.approx(counts[np.abs(AXIS - 480.0) <= width[0]].sum(), rel=0.03)


def test_an_elements_other_lines_are_its_own_and_another_elements_are_not():
    partner = gaussian_lines((0, 0, 480.0, 5000.0), (0, 0, 481.5, 2500.0))
    stranger = gaussian_lines((0, 0, 480.0, 5000.0), (0, 1, 481.5, 2500.0))
    spectra = gaussian_spectrum(partner, 70.0)
    alone = line_windows(spectra, AXIS, 2, partner)
    disturbed = line_windows(spectra, AXIS, 2, stranger)
    assert disturbed.background[0, 0] > alone.background[0, 0] + 1000
    assert disturbed.net[0, 0] < alone.net[0, 0]
    both = alone.net + alone.background
    assert (disturbed.net + disturbed.background)[0, 0] == pytest.approx(both[0, 0]), "every count is in one of them"


def test_the_line_counts_that_stands_out_most():
    """Of those inside the spectrum, by S/√B: a line a little stronger but four times as broad shows less."""
    lines = gaussian_lines((0, 0, 480.0, 500.0), (0, 0, 550.0, 900.0), (0, 0, 700.0, 1e6), (0, 0, 520.0, 1700.0))
    lines = replace(lines, gauss_fwhm_eV=np.array([2.0, 2.0, 2.0, 8.0]))
    windows = line_windows(gaussian_spectrum(lines, 10.0), AXIS, 1, lines)
    assert windows.net[0, 0] == pytest.approx(900 * 0.981, rel=0.015)


@settings(max_examples=50)
@given(energy=st.floats(390, 610), fwhm=st.floats(0.01, 30), background=st.floats(0, 1000))
def test_no_line_breaks_the_sums(energy, fwhm, background):
    """Wherever a line lies, however wide: nothing is negative, and not more is found than there is."""
    lines = gaussian_lines((0, 0, energy, 1000.0), fwhm=fwhm)
    spectra = gaussian_spectrum(lines, background)
    windows = line_windows(spectra, AXIS, 1, lines)
    assert windows.net[0, 0] >= 0 and windows.background[0, 0] >= 0
    assert windows.net[0, 0] + windows.background[0, 0] <= spectra.sum() * (1 + 1e-9)
    limit = detection_limits(np.array([[0.2]]), windows)
    assert np.isfinite(limit).all() and limit[0, 0] > 0


def test_limits_fall_with_the_root_of_the_dose():
    lines = gaussian_lines((0, 0, 480.0, 100.0), (1, 0, 480.0, 10_000.0))
    spectra = np.concatenate([gaussian_spectrum(gaussian_lines((0, 0, 480.0, 100.0)), 1e4)] * 2) * [[1.0], [100.0]]
    limits = detection_limits(np.full((2, 1), 0.1), line_windows(spectra, AXIS, 1, lines))
    assert limits[0, 0] / limits[1, 0] == pytest.approx(10.0, rel=0.01)


@pytest.mark.parametrize("background", [30.0, 3000.0])
def test_at_the_limit_one_in_twenty_is_overlooked(background):
    """Poisson counts of the window, and of as many channels beside it, compared by Currie's threshold 2.33 √B."""
    fraction = 0.2
    lines = gaussian_lines((0, 0, 480.0, 4000.0))
    windows = line_windows(gaussian_spectrum(lines, background / 9), AXIS, 1, lines)
    limit = detection_limits(np.array([[fraction]]), windows)[0, 0]
    signal, blank = windows.net[0, 0] * limit / fraction, windows.background[0, 0]
    random = np.random.default_rng(5)

    def seen(expected: float) -> np.ndarray:
        beside = random.poisson(blank, 40_000)
        return random.poisson(expected, 40_000) - beside > 2.33 * np.sqrt(blank)

    assert np.mean(~seen(blank + signal)) == pytest.approx(0.05, abs=0.012)
    assert np.mean(seen(blank)) == pytest.approx(0.05, abs=0.012)


def test_what_has_no_line_has_no_limit_within_reach():
    windows = LineWindows(np.zeros((1, 2)), np.zeros((1, 2)))
    limits = detection_limits(np.array([[0.3, 0.0]]), windows)
    assert limits[0, 0] == pytest.approx(UNSEEN) and limits[0, 1] == 0.0
    weights = element_weights(80, np.array([[5, 7]]), np.array([[0.3, 0.0]]), limits)
    assert weights[0, 5] == pytest.approx(0.0, abs=1e-6) and weights.sum() == pytest.approx(79.0)


def test_leaving_out_gives_the_rest_their_places():
    elements = np.array([[3, 5, 9], [3, 5, 9], [3, 5, 9]])
    fractions = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.9, 0.1, 0.0]])
    limits = np.array([[0.01, 0.01, 0.25], [0.6, 0.6, 0.6], [0.01, 0.01, 0.0]])
    composition = np.zeros((3, 80), np.float32)
    np.put_along_axis(composition, elements, fractions.astype(np.float32), axis=1)
    left = leave_out_undetectable(composition, elements, fractions, limits)
    assert left.dtype == np.float32
    np.testing.assert_allclose(left.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(left[0, elements[0]], [0.625, 0.375, 0.0], atol=1e-6)
    np.testing.assert_array_equal(left[1:], composition[1:], "one that loses all is kept; unused places do not count")


def test_weights_are_the_share_of_the_limit():
    weights = element_weights(80, np.array([[3, 5]]), np.array([[0.05, 0.95]]), np.array([[0.2, 0.01]]))
    assert weights[0, 3] == pytest.approx(0.25) and weights.dtype == np.float32
    np.testing.assert_array_equal(np.delete(weights[0], 3), 1.0)


@pytest.fixture
def source() -> EmbeddedSource:
    return made_by()


@cache
def made_by(**keys) -> EmbeddedSource:
    fixed = {"transmission_exponent": [0.7, 0.7], "detector_background": [0.01, 0.01], "analyser_fwhm_eV": [1.0, 1.0]}
    return EmbeddedSource(SpectraSettings.model_validate({"samples": keys, "instrument": fixed}), seed=8)


def batch_of(source: EmbeddedSource, materials: list[dict[str, float]], dose: float) -> SampleBatch:
    """Bare samples of these compositions, without shifts."""
    places = max(map(len, materials))
    elements, fractions = np.zeros((len(materials), places), np.intp), np.zeros((len(materials), places))
    for row, material in enumerate(materials):
        for place, (symbol, share) in enumerate(material.items()):
            elements[row, place], fractions[row, place] = ELEMENT_INDEX[symbol], share
    drawn = source.draw(np.arange(len(materials)))
    return replace(
        drawn,
        elements=elements,
        fractions=fractions,
        shifts=np.zeros_like(fractions),
        overlayer_A=np.zeros(len(materials)),
        density_g_cm3=mix(elements, fractions).density,
        band_gap_eV=np.zeros(len(materials)),
        loss=np.zeros(len(materials), np.intp),
        peak_counts=np.full(len(materials), dose),
    )


def limits_of(source: EmbeddedSource, materials: list[dict[str, float]], dose: float) -> np.ndarray:
    batch = batch_of(source, materials, dose)
    return expected_limits(source.simulator, batch, source.simulator.expected(batch))


@pytest.mark.parametrize("matrix", ["W", "Pb", "Ta"])
@pytest.mark.parametrize("light", ["Li", "Be"])
def test_the_lightest_elements_hide_in_the_heaviest(source, light, matrix):
    """At a low dose a tenth of Li or Be in a heavy metal is not seen, a hundredth of silver is within reach."""
    limits = limits_of(source, [{light: 0.1, matrix: 0.9}, {"Ag": 0.1, matrix: 0.9}], 3000.0)
    assert limits[0, 0] > 0.1 > limits[1, 0]
    assert (limits[:, 1] < 0.05).all(), "the matrix itself is seen"


def test_limits_of_real_spectra_fall_with_the_root_of_the_dose(source):
    low, high = (limits_of(source, [{"Al": 0.2, "Cu": 0.8}], dose)[0, 0] for dose in (1e4, 1e6))
    assert low / high == pytest.approx(10.0, rel=0.05)


@pytest.mark.parametrize(("trace", "matrix"), [("Sn", "Ti"), ("Mo", "Fe")])
def test_a_trace_at_its_limit_is_overlooked_once_in_twenty(source, trace, matrix):
    """The alloy at its limit against the bare matrix, both with Poisson noise, in one window.

    A little of the trace changes the whole background by more than its line brings: the matrix's spectrum is scaled to
    the alloy's above the window.
    """
    dose = 20_000.0
    limit = limits_of(source, [{trace: 0.01, matrix: 0.99}], dose)[0, 0]
    batch = batch_of(source, [{trace: limit, matrix: 1 - limit}, {matrix: 1.0}], dose)
    expectation = source.simulator.expected(batch)
    assert expected_limits(source.simulator, batch, expectation)[0, 0] == pytest.approx(limit, rel=0.05)

    lines = spectrum_lines(source.simulator, batch, expectation)
    mine = lines[(lines.sample == 0) & (lines.place == 0) & (lines.energy_eV > 400)]
    widths, _ = pseudo_voigt(mine.lorentz_fwhm_eV, mine.gauss_fwhm_eV)
    strongest = (mine.counts / np.sqrt(widths)).argmax()
    width = widths[strongest]
    apart = source.simulator.kinetic_energy_eV - mine.energy_eV[strongest]
    seen, above = np.abs(apart) <= width, (apart > 4 * width) & (apart < 7 * width)
    alloy, bare = expectation.counts
    blank = bare[seen] * (alloy[above].sum() / bare[above].sum())
    random = np.random.default_rng(3)
    with_trace = random.poisson(alloy[seen], (20_000, seen.sum())).sum(axis=1)
    without = random.poisson(blank, (20_000, seen.sum())).sum(axis=1)
    assert np.mean(with_trace - without <= 2.33 * np.sqrt(blank.sum())) == pytest.approx(0.05, abs=0.025)


@settings(max_examples=5)
@given(indices=st.lists(st.integers(0, 2**34), min_size=1, max_size=6, unique=True))
def test_limits_do_not_depend_on_company(indices):
    recipe = made_by(recipe="compounds", compounds_per_sample=(1, 2), undetectable="down_weight")
    together = recipe.make(np.array(indices))
    for row, index in enumerate(indices):
        alone = recipe.make(np.array([index]))
        for name in ("detection_limit", "weight", "material", "composition", "spectrum"):
            np.testing.assert_array_equal(alone[name][0], together[name][row], err_msg=name)


def test_stored_labels_leave_out_what_cannot_be_seen():
    made = made_by(undetectable="leave_out").make(np.arange(200))
    kept = made_by().make(np.arange(200))
    np.testing.assert_array_equal(made["spectrum"], kept["spectrum"])
    np.testing.assert_allclose(made["composition"].sum(axis=1), 1.0, atol=1e-6)
    hidden = (made["drawn_fractions"] < made["detection_limit"]) & (made["drawn_elements"] >= 0)
    whole = hidden.sum(axis=1) == (made["drawn_elements"] >= 0).sum(axis=1)
    assert hidden.any() and not hidden.all()
    for row, place in zip(*np.nonzero(hidden & ~whole[:, None]), strict=True):
        element = made["drawn_elements"][row, place]
        assert made["composition"][row, element] == 0.0 < kept["composition"][row, element]


def test_every_array_is_as_announced():
    for keys in (
        {"recipe": "compounds", "compounds_per_sample": (1, 2), "undetectable": "down_weight"},
        {"undetectable": "leave_out"},
        {},
    ):
        recipe = made_by(**keys)
        made = recipe.make(np.arange(3))
        specs = {spec.name: spec for spec in recipe.arrays()}
        assert list(specs) == sorted(made, key=list(specs).index) and specs.keys() == made.keys()
        for name, values in made.items():
            assert values.shape == (3, *specs[name].shape) and values.dtype == specs[name].dtype, name
            assert np.isfinite(values.astype(float)).all(), name


@pytest.mark.networks
def test_what_weighs_less_teaches_less():
    """The loss of an error in an undetectable element is that of a smaller error; all weights 1 change nothing."""
    axis = np.linspace(400, 1486, 32)
    plain = XpsProblem(axis, ("C", "O", "Li"), 1486.6, 10.0)
    weighted = XpsProblem(axis, ("C", "O", "Li"), 1486.6, 10.0, weighted=True)
    assert "weight" in weighted.reads and "weight" not in plain.reads
    rows = {
        "composition": np.array([[0.5, 0.4, 0.1]], np.float32),
        "overlayer_thickness": np.zeros(1, np.float32),
        "weight": np.array([[1.0, 1.0, 0.25]], np.float32),
    }
    answer = {"composition": np.array([[0.6, 0.4, 0.0]], np.float32), "overlayer_thickness": np.zeros(1, np.float32)}
    lighter = float(weighted.losses(weighted.targets(rows), answer)[0])
    assert lighter == pytest.approx(np.sqrt((0.1**2 + 0.25 * 0.1**2) / 3), rel=1e-5)
    equal = float(weighted.losses(weighted.targets({**rows, "weight": np.ones((1, 3), np.float32)}), answer)[0])
    assert equal == pytest.approx(float(plain.losses(plain.targets(rows), answer)[0]), rel=1e-6)
