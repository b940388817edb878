"""How spectra are handed to networks: what a treatment takes out of them, what it keeps, and what it never hides."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xpshpc.spectra.learning.task import InputName, XpsTask
from xpshpc.spectra.learning.treatment import (
    describe_input,
    divide_by_area,
    input_shape,
    smooth,
    standardise,
    stretch,
    treat,
)

INPUTS = InputName.__args__
CHANNELS = 512


def counts(samples, channels=CHANNELS, seed=0):
    random = np.random.default_rng(seed)
    axis = np.arange(channels)
    rows = np.full((samples, channels), 200.0)
    for row in rows:
        for place in random.uniform(0, channels, 8):
            row += random.uniform(100, 3000) * np.exp(-(((axis - place) / 3) ** 2))
    return random.poisson(rows).astype(np.uint16)


def lines(*peaks, channels=CHANNELS, background=0.0):
    """Gaussian lines of (channel, height) on a background, (1, channels)."""
    axis = np.arange(channels)
    return np.sum([height * np.exp(-0.5 * ((axis - at) / 2.0) ** 2) for at, height in peaks], axis=0)[None] + background


@given(arrays(np.uint16, st.tuples(st.integers(1, 4), st.integers(1, 9))))
def test_a_stretched_spectrum_reaches_from_0_to_1_and_keeps_its_order(counts):
    stretched = stretch(counts)
    assert stretched.dtype == np.float32 and stretched.shape == counts.shape
    for before, after in zip(counts.astype(int), stretched, strict=True):
        if before.min() == before.max():
            assert (after == 0).all()
        else:
            assert after.min() == 0 and after.max() == 1
            assert (np.diff(after[np.argsort(before, kind="stable")]) >= 0).all()


@pytest.mark.parametrize("name", INPUTS)
def test_no_treatment_knows_the_dose_or_touches_its_input(name):
    task, rows = XpsTask(input=name), counts(3).astype(np.float32)
    kept = rows.copy()
    np.testing.assert_allclose(treat(rows * 8, task), treat(rows, task), atol=1e-5)
    np.testing.assert_array_equal(rows, kept)
    assert treat(counts(3), task).dtype == np.float32
    np.testing.assert_array_equal(treat(counts(3), task), treat(rows, task))


@pytest.mark.parametrize("name", ["unit", "snv", "smoothed", "peaks"])
def test_a_constant_background_is_nothing_to_most(name):
    task, rows = XpsTask(input=name), counts(3).astype(np.float32)
    np.testing.assert_allclose(treat(rows + 300, task), treat(rows, task), atol=2e-5)


@pytest.mark.parametrize("name", INPUTS)
def test_a_samples_input_follows_from_its_own_spectrum_to_the_last_bit(name):
    task, rows = XpsTask(input=name), counts(12)
    whole = treat(rows, task)
    assert whole.shape == (12, *input_shape(CHANNELS, task))
    for parts in (2, 3, 12):
        np.testing.assert_array_equal(np.concatenate([treat(part, task) for part in np.split(rows, parts)]), whole)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 3, 200, CHANNELS - 1])
@pytest.mark.parametrize("name", INPUTS)
def test_what_is_not_finite_stays_so_in_its_own_spectrum(name, place, wrong):
    rows = counts(3).astype(np.float32)
    rows[1, place] = wrong
    treated = treat(rows, XpsTask(input=name))
    finite = np.isfinite(treated.reshape(3, -1)).all(axis=1)
    assert finite.tolist() == [True, False, True]


@pytest.mark.parametrize("name", INPUTS)
def test_a_spectrum_without_anything_in_it_becomes_zeros(name):
    assert (treat(np.zeros((2, CHANNELS), np.uint16), XpsTask(input=name)) == 0).all()


def test_area_is_the_mean_channel_and_proportions_stay():
    rows = counts(4)
    divided = divide_by_area(rows)
    np.testing.assert_allclose(divided.mean(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(divided[2] / divided[2, 0], rows[2] / rows[2, 0], rtol=1e-5)


@given(arrays(np.uint16, st.tuples(st.integers(1, 4), st.integers(1, 9))))
def test_a_standard_normal_variate_has_mean_0_and_standard_deviation_1(counts):
    standard = standardise(counts)
    assert standard.dtype == np.float32 and standard.shape == counts.shape
    for before, after in zip(counts, standard, strict=True):
        if before.min() == before.max():
            assert (after == 0).all()
        else:
            expected = (before - before.mean()) / before.std(ddof=1)
            np.testing.assert_allclose(after, expected, rtol=1e-5, atol=1e-4)


@settings(max_examples=40)
@given(st.integers(1, 12), st.integers(0, 5), st.integers(0, 99))
def test_smoothing_leaves_a_polynomial_of_its_degree_as_it_is(half, degree, seed):
    width = 2 * half + 1
    degree = min(degree, width - 1)
    axis = np.linspace(-1, 1, 64)
    polynomial = np.polynomial.Polynomial(np.random.default_rng(seed).uniform(-1, 1, degree + 1))(axis)[None]
    np.testing.assert_allclose(smooth(polynomial, width, degree), polynomial, atol=1e-4)


def test_smoothing_is_scipys_filter():
    from scipy.signal import savgol_filter

    rows = counts(3)
    expected = savgol_filter(rows.astype(float), 21, 4, axis=1, mode="interp")
    np.testing.assert_allclose(smooth(rows, 21, 4), expected, rtol=1e-5, atol=0.02)


def test_smoothing_takes_noise_away():
    noise = np.random.default_rng(0).normal(size=(8, 4096))
    # The variance falls to the middle coefficient: 89/429 for 11 channels and degree 3 (Savitzky and Golay's table).
    assert smooth(noise, 11, 3).var() == pytest.approx(89 / 429, rel=0.05)


def test_peaks_are_found_where_they_were_put():
    spectrum = lines((50, 300), (200, 1000), (340, 600), background=100)
    peaks = treat(spectrum, XpsTask(input="peaks", peaks=5))[0]
    np.testing.assert_allclose(peaks[:3, 0] * (CHANNELS - 1), [200, 340, 50], atol=0.01)
    np.testing.assert_allclose(peaks[:3, 1], [1, 0.6, 0.3], rtol=1e-3)
    np.testing.assert_array_equal(peaks[3:], 0)


def test_a_peak_on_a_slope_or_a_step_is_as_high_as_it_rises():
    step = 5000.0 * (np.arange(CHANNELS) > 300)
    slope = np.linspace(0, 400, CHANNELS)
    spectrum = lines((100, 1000), (400, 1000)) + step + slope
    peaks = treat(spectrum, XpsTask(input="peaks", peaks=4))[0]
    np.testing.assert_allclose(np.sort(peaks[:2, 0]) * (CHANNELS - 1), [100, 400], atol=1.01)
    np.testing.assert_allclose(peaks[:2, 1], 1, rtol=0.05)
    assert (peaks[2:, 1] < 0.05).all()


def test_equal_peaks_come_in_the_order_of_the_axis():
    spectrum = lines((60, 500), (180, 500), (300, 500), (420, 500))
    peaks = treat(spectrum, XpsTask(input="peaks", peaks=3))[0]
    np.testing.assert_allclose(peaks[:, 0] * (CHANNELS - 1), [60, 180, 300], atol=0.01)
    np.testing.assert_array_equal(peaks[:, 1], 1)


def test_the_strongest_of_many_peaks_are_kept_in_order():
    peaks = treat(counts(8), XpsTask(input="peaks", peaks=16))
    assert (np.diff(peaks[:, :, 1], axis=1) <= 0).all() and (peaks[:, 0, 1] == 1).all()
    assert ((peaks >= 0) & (peaks <= 1)).all()
    more = treat(counts(8), XpsTask(input="peaks", peaks=40))
    np.testing.assert_array_equal(more[:, :16], peaks)


def test_every_treatment_has_words_of_its_own():
    assert len({describe_input(XpsTask(input=name)) for name in INPUTS}) == len(INPUTS)
    assert "21 channels, degree 2" in describe_input(
        XpsTask(input="smoothed", smoothing_channels=21, smoothing_degree=2)
    )
