"""Losses of all orders: the closed form against the sum it stands for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import gammainc

from xpshpc.spectra.transport.loss import LossSpace, cubic_weights, transmitted
from xpshpc.spectra.transport.loss_functions import tougaard_universal

CHANNEL, LENGTH = 1.0, 600


@pytest.fixture
def space() -> LossSpace:
    return LossSpace(LENGTH)


def orders(loss: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Σ C_n w^{*n} by plain convolution: what a sharp line at zero loss becomes."""
    total, term = np.zeros(LENGTH), np.eye(1, LENGTH)[0]
    for weight in weights:
        total += weight * term
        term = np.convolve(term, loss)[:LENGTH]
    return total


def line_after(space: LossSpace, factor: np.ndarray) -> np.ndarray:
    line = np.eye(1, LENGTH)[0]
    return space.invert(space.transform(line * space.damping) * factor) / space.damping


def test_a_film_lets_through_what_the_sum_over_orders_says(space):
    loss = tougaard_universal(LENGTH, CHANNEL)
    x = 1.7
    poisson = np.exp(-x) * np.cumprod(np.concatenate(([1.0], x / np.arange(1, 60))))
    np.testing.assert_allclose(line_after(space, transmitted(space.missing(loss), x)), orders(loss, poisson), atol=1e-8)


def test_a_film_emits_what_the_sum_over_orders_says(space):
    """C_n of a film of x mean free paths is P(n + 1, x), the regularised gamma function."""
    loss = tougaard_universal(LENGTH, CHANNEL)
    x = 2.3
    missing = space.missing(loss)
    factor = (1.0 - transmitted(missing, x)) / missing
    np.testing.assert_allclose(line_after(space, factor), orders(loss, gammainc(np.arange(1, 60), x)), atol=1e-8)


def test_a_half_space_has_equal_partial_intensities(space):
    loss = tougaard_universal(LENGTH, CHANNEL)
    found = line_after(space, 1.0 / space.missing(loss))
    np.testing.assert_allclose(found, orders(loss, np.ones(400)), atol=2e-7)


def test_losses_and_what_is_left_add_up(space):
    """All losses up to infinity sum to 1: what the grid leaves out is C/(C + T²) at its end."""
    loss = tougaard_universal(LENGTH, CHANNEL)
    end = (LENGTH - 0.5) * CHANNEL
    assert loss.sum() == pytest.approx(1.0 - 1643.0 / (1643.0 + end**2), rel=1e-12)
    assert CHANNEL * np.argmax(loss) == pytest.approx(np.sqrt(1643.0 / 3.0), abs=CHANNEL), "the maximum of T/(C+T²)²"


def test_whole_shifts_move_a_signal_and_nothing_else(space):
    for shift in (0, 1, 17, -3):
        factor = space.shifts(np.array([shift]))[0]
        expected = np.eye(1, LENGTH, 200 + shift)[0]
        line = np.eye(1, LENGTH, 200)[0]
        moved = space.invert(space.transform(line * space.damping) * factor) / space.damping
        np.testing.assert_allclose(moved, expected, atol=1e-7)


@pytest.mark.parametrize("place", [0.0, 0.3, 0.999, -7.6, 12.5])
def test_a_spline_stands_where_it_is_put_with_unit_area(space, place):
    """A cubic B-spline has the variance 1/3 wherever it stands among the channels."""
    line = np.eye(1, LENGTH, 200)[0]
    factor = space.spline_shifts(np.array([place]))[0]
    spline = space.invert(space.transform(line * space.damping) * factor) / space.damping
    near = slice(150, 250)
    channels = np.arange(LENGTH)[near] - 200 - place
    assert spline[near].sum() == pytest.approx(1.0, abs=1e-9)
    assert (spline[near] * channels).sum() == pytest.approx(0.0, abs=1e-7)
    assert (spline[near] * channels**2).sum() == pytest.approx(1.0 / 3.0, abs=1e-6)
    assert np.count_nonzero(np.abs(spline[near]) > 1e-9) <= 4


def test_values_of_a_spline_series_are_its_coefficients_through_the_sampled_spline(space):
    smooth = np.exp(-0.5 * ((np.arange(LENGTH) - 250) / 9.0) ** 2)
    damped = space.transform(smooth * space.damping) / space.sampled_spline()
    coefficients = space.invert(damped) / space.damping
    before, here, after, beyond = (float(weight) for weight in cubic_weights(0.0))
    assert beyond == 0.0
    values = before * coefficients[:-2] + here * coefficients[1:-1] + after * coefficients[2:]
    np.testing.assert_allclose(values[100:400], smooth[101:401], atol=1e-7)
    half = cubic_weights(0.5)
    between = sum(float(w) * coefficients[200 + k : 300 + k] for k, w in enumerate(half))
    np.testing.assert_allclose(between, np.exp(-0.5 * ((np.arange(201, 301) + 0.5 - 250) / 9.0) ** 2), atol=2e-5)
