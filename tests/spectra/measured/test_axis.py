"""Bringing a spectrum onto another axis: area is kept, equal axes change nothing, and the map is linear."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.spectra.measured import MeasuredSpectrum, bring_to_axis, describe_extension
from xpshpc.spectra.measured.spectrum import shift_binding_energy

AXIS = 400.0 + np.arange(2048) * (1486.0 - 400.0) / 2048
CHANNEL = AXIS[1] - AXIS[0]


def spectrum(
    energy: NDArray[np.float64], intensity: NDArray[np.float64], transmission: NDArray[np.float64] | None = None
) -> MeasuredSpectrum:
    step = float(np.median(np.diff(energy)))
    return MeasuredSpectrum("s", Path("s.csv"), energy, intensity, transmission, 1486.6, None, "kinetic", step)


def random_counts(seed: int, points: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).gamma(0.5, 2000.0, points)


def even_energies(step: float, offset: float, low: float = 380.0, high: float = 1500.0) -> NDArray[np.float64]:
    return np.arange(low + offset, high, step)


@settings(max_examples=40)
@given(step=st.floats(0.02, 0.99), offset=st.floats(0, 1), seed=st.integers(0, 2**32 - 1))
def test_area_of_what_lies_within_the_axis_is_conserved(step: float, offset: float, seed: int) -> None:
    energy = even_energies(step * CHANNEL, offset)
    counts = random_counts(seed, len(energy))
    counts[(energy < AXIS[0] + 1) | (energy > AXIS[-1] - 1)] = 0
    on_axis = bring_to_axis(spectrum(energy, counts), AXIS)
    assert on_axis.sum() * CHANNEL == pytest.approx(counts.sum() * step * CHANNEL, rel=1e-9)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_irregular_fine_steps_conserve_area_too(seed: int) -> None:
    random = np.random.default_rng(seed)
    energy = 390 + np.cumsum(random.uniform(0.05, 0.5, 6000))
    energy = energy[energy < 1500]
    energy = np.append(energy, energy[-1] + np.arange(1, (1500 - energy[-1]) / 0.5) * 0.5)
    counts = random_counts(seed, len(energy))
    counts[(energy < AXIS[0] + 1) | (energy > AXIS[-1] - 1)] = 0
    edges = np.concatenate([[energy[0]], (energy[1:] + energy[:-1]) / 2, [energy[-1]]])
    on_axis = bring_to_axis(spectrum(energy, counts), AXIS)
    assert on_axis.sum() * CHANNEL == pytest.approx((counts * np.diff(edges)).sum(), rel=1e-9)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_same_axis_changes_nothing(seed: int) -> None:
    counts = random_counts(seed, len(AXIS))
    np.testing.assert_allclose(bring_to_axis(spectrum(AXIS, counts), AXIS), counts, atol=1e-7 * counts.max())


@given(step=st.floats(0.05, 3.0), a=st.floats(0, 10), b=st.floats(0, 10), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_map_is_linear_in_the_intensity(step: float, a: float, b: float, seed: int) -> None:
    energy = even_energies(step, 0.0)
    one, other = random_counts(seed, len(energy)), random_counts(seed + 1, len(energy))
    together = bring_to_axis(spectrum(energy, a * one + b * other), AXIS)
    apart = a * bring_to_axis(spectrum(energy, one), AXIS) + b * bring_to_axis(spectrum(energy, other), AXIS)
    np.testing.assert_allclose(together, apart, rtol=1e-9, atol=1e-6)


@given(step=st.floats(0.6, 4.0), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_coarser_even_steps_are_interpolated_linearly(step: float, seed: int) -> None:
    energy = even_energies(step, 0.0)
    counts = random_counts(seed, len(energy))
    expected = np.interp(AXIS, energy, counts)
    np.testing.assert_allclose(bring_to_axis(spectrum(energy, counts), AXIS), expected, atol=1e-7 * counts.max())


@given(step=st.floats(0.03, 4.0), offset=st.floats(0, 1), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_result_stays_between_the_measured_extremes(step: float, offset: float, seed: int) -> None:
    energy = even_energies(step, offset)
    counts = random_counts(seed, len(energy))
    on_axis = bring_to_axis(spectrum(energy, counts), AXIS)
    assert on_axis.min() >= counts.min() - 1e-6
    assert on_axis.max() <= counts.max() + 1e-6


def test_straight_line_stays_a_straight_line() -> None:
    for step in (0.1, 0.5, CHANNEL, 1.0, 3.0):
        energy = even_energies(step, 0.3)
        np.testing.assert_allclose(bring_to_axis(spectrum(energy, 3 * energy), AXIS), 3 * AXIS, rtol=2e-4)


def test_noise_falls_as_channels_gather_points() -> None:
    """Averaging k independent points divides the variance by k: nothing measured is thrown away."""
    energy = even_energies(CHANNEL / 8, 0.0)
    noise = np.random.default_rng(3).normal(1000, 50, len(energy))
    assert bring_to_axis(spectrum(energy, noise), AXIS).std() == pytest.approx(50 / 8**0.5, rel=0.1)


def test_transmission_is_divided_out() -> None:
    energy = even_energies(0.5, 0.0)
    true = random_counts(5, len(energy)) + 100
    transmission = energy**-0.7
    seen = spectrum(energy, true * transmission, transmission)
    expected = bring_to_axis(spectrum(energy, true), AXIS)
    found = bring_to_axis(seen, AXIS)
    np.testing.assert_allclose(found / found.mean(), expected / expected.mean(), rtol=1e-9)
    kept = bring_to_axis(seen, AXIS, divide_by_transmission=False)
    np.testing.assert_allclose(kept, bring_to_axis(spectrum(energy, true * transmission), AXIS))
    constant = spectrum(energy, true, np.full(len(energy), 0.5))
    np.testing.assert_array_equal(bring_to_axis(constant, AXIS), expected)


def test_small_part_not_measured_goes_on_with_the_last_value_and_is_remarked() -> None:
    energy = np.arange(380.0, 1470.0, 0.5)
    short = spectrum(energy, random_counts(6, len(energy)))
    on_axis = bring_to_axis(short, AXIS)
    beyond = energy[-1] + 0.25 < AXIS - CHANNEL / 2
    np.testing.assert_allclose(on_axis[beyond], short.intensity[-1])
    remark = describe_extension(short, AXIS)
    assert remark is not None
    assert "16.0 eV above" in remark
    assert describe_extension(spectrum(even_energies(0.5, 0), random_counts(0, 2240)), AXIS) is None


def test_axis_that_was_not_measured_is_refused_with_both_windows() -> None:
    energy = np.arange(500.0, 1400.0, 0.5)
    with pytest.raises(UsageError, match=r"500\.0 to 1399\.5 eV.*400\.0 to 1485\.5 eV"):
        bring_to_axis(spectrum(energy, random_counts(7, len(energy))), AXIS)


def test_charge_shift_adds_to_binding_energies() -> None:
    energy = even_energies(0.5, 0.0)
    peak = np.exp(-(((energy - 1200) / 2) ** 2))
    shifted = shift_binding_energy(spectrum(energy, peak), 3.2)
    assert AXIS[np.argmax(bring_to_axis(shifted, AXIS))] == pytest.approx(1200 - 3.2, abs=CHANNEL)
    assert shifted.remarks == ("+3.2 eV added to the binding energies",)
