"""Lines keep their area, place and shape: Voigt, metals' asymmetric lines, valence bands."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gamma, voigt_profile

from xpshpc.spectra.lines.lineshape import PAIR_ENERGY_EV, line_profile

STEP = 0.01
OFFSETS = np.arange(-300.0, 300.0, STEP)


@settings(max_examples=25)
@given(
    lorentz=st.floats(0.02, 2.0),
    gauss=st.floats(0.1, 3.0),
    singularity=st.sampled_from([0.0, 0.05, 0.12, 0.3]),
    band=st.sampled_from([0.0, 2.8, 11.7]),
)
def test_every_line_has_unit_area_and_its_mean_where_theory_puts_it(lorentz, gauss, singularity, band):
    """Area: 1 less the tails of the Lorentzian beyond 300 eV. Mean: half the band and αξ below the line's place."""
    profile = line_profile(OFFSETS, lorentz, gauss, singularity, band)
    assert profile.min() >= 0.0
    tails = lorentz / (np.pi * 300.0)
    assert profile.sum() * STEP == pytest.approx(1.0 - tails, abs=3e-4)
    near = np.abs(OFFSETS + 0.5 * band) < 250.0
    mean = (profile * OFFSETS)[near].sum() * STEP
    assert mean == pytest.approx(-singularity * PAIR_ENERGY_EV - 0.5 * band, abs=0.01 + 0.02 * lorentz)


def test_without_a_singularity_or_a_band_it_is_voigt():
    expected = voigt_profile(OFFSETS, 0.9 / np.sqrt(8.0 * np.log(2.0)), 0.15)
    np.testing.assert_array_equal(line_profile(OFFSETS, 0.3, 0.9), expected)
    np.testing.assert_allclose(line_profile(OFFSETS, 0.3, 0.9, 1e-9, 0.0), expected, atol=1e-7)


@pytest.mark.parametrize("singularity", [0.05, 0.12, 0.24])
def test_close_to_the_line_it_is_doniach_and_sunjics(singularity):
    """Their formula, broadened by plain convolution, times e^{-T/ξ} on the pairs: the same up to T/ξ."""
    lorentz, gauss = 0.3, 0.4
    half, alpha = 0.5 * lorentz, singularity
    fine = np.arange(-60.0, 60.0, 0.005)
    formula = gamma(1.0 - alpha) / (np.pi * PAIR_ENERGY_EV**alpha)
    formula *= np.cos(0.5 * np.pi * alpha + (1.0 - alpha) * np.arctan(fine / half))
    formula /= (fine**2 + half**2) ** (0.5 * (1.0 - alpha))
    sigma = gauss / np.sqrt(8.0 * np.log(2.0))
    kernel = np.exp(-0.5 * (np.arange(-2.0, 2.0, 0.005) / sigma) ** 2)
    broadened = np.convolve(formula, kernel / kernel.sum(), mode="same")
    near = np.abs(fine) < 0.5
    shape = line_profile(fine[near], lorentz, gauss, alpha)
    np.testing.assert_allclose(shape / shape.max(), broadened[near] / broadened[near].max(), atol=0.03)
    assert shape.max() == pytest.approx(broadened[near].max(), rel=0.03)


def test_metals_have_their_tail_at_higher_binding_energy():
    """More so the larger α, and the half widths grow unequal; the Voigt profile is even."""
    tails, skews = [], []
    for singularity in (0.0, 0.05, 0.12, 0.24):
        profile = line_profile(OFFSETS, 0.3, 0.4, singularity)
        top = OFFSETS[np.argmax(profile)]
        above = OFFSETS[profile >= 0.5 * profile.max()]
        skews.append((top - above[0]) / (above[-1] - top))
        tails.append(
            line_profile(np.array([-3.0]), 0.3, 0.4, singularity)[0]
            / line_profile(np.array([3.0]), 0.3, 0.4, singularity)[0]
        )
    assert skews[0] == pytest.approx(1.0, abs=0.06)
    assert tails[0] == pytest.approx(1.0)
    assert np.all(np.diff(tails) > 0.0)
    assert np.all(np.diff(skews[1:]) > 0.0)


def test_a_band_is_a_half_ellipse_below_its_top():
    width = 8.0
    profile = line_profile(OFFSETS, 0.0, 0.05, 0.0, width)
    ellipse = 8.0 / (np.pi * width**2) * np.sqrt(np.clip(-OFFSETS * (OFFSETS + width), 0.0, None))
    inside = np.abs(OFFSETS + 0.5 * width) < 0.5 * width - 0.2
    np.testing.assert_allclose(profile[inside], ellipse[inside], rtol=2e-3)
    assert profile[OFFSETS > 0.2].max() < 1e-6


def test_arrays_of_lines_are_the_lines_one_by_one():
    offsets = np.linspace(-20.0, 20.0, 301)
    lorentz, gauss = np.array([0.2, 0.5, 0.2, 1.0]), np.array([0.6, 0.6, 1.0, 0.9])
    singularity, band = np.array([0.1, 0.0, 0.0, 0.1]), np.array([0.0, 0.0, 5.0, 0.0])
    together = line_profile(offsets, *(figure[:, None] for figure in (lorentz, gauss, singularity, band)))
    assert together.shape == (4, 301)
    for row in range(4):
        alone = line_profile(offsets, lorentz[row], gauss[row], singularity[row], band[row])
        np.testing.assert_allclose(together[row], alone, rtol=1e-12)


def test_the_width_is_that_of_a_voigt_profile():
    """Olivero and Longbothum's formula (10.1016/0022-4073(77)90161-3), good to 0.02 %."""
    lorentz, gauss = 0.8, 1.2
    offsets = np.arange(-2.0, 2.0, 1e-4)
    profile = line_profile(offsets, lorentz, gauss)
    above = offsets[profile >= 0.5 * profile.max()]
    expected = 0.5346 * lorentz + np.sqrt(0.2166 * lorentz**2 + gauss**2)
    assert above[-1] - above[0] == pytest.approx(expected, rel=5e-4)
