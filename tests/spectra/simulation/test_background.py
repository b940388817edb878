"""The cells that losses are computed on, and the way there and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xpshpc.spectra.simulation.background import LossGrid
from xpshpc.spectra.simulation.emission import Emission

RATIOS = [1, 2, 4, 8, 32]


def grid_of(ratio: int) -> LossGrid:
    return LossGrid(top_eV=1500.0, channel_eV=0.5, ratio=ratio, channels=900)


def filled(grid: LossGrid, spectrum: np.ndarray) -> np.ndarray:
    """A spectrum with as many channels as the cells hold."""
    return np.pad(spectrum, (0, grid.filled * grid.ratio - len(spectrum))).astype(np.float32)[None, :]


@pytest.mark.parametrize("ratio", RATIOS)
@settings(max_examples=20)
@given(channel=st.integers(64, 899))
def test_cells_hold_what_the_channels_hold_where_they_hold_it(ratio, channel):
    """An electron's splines sum to 1, have their mean at its energy, and the variance 1/3 of a cell around it."""
    grid = grid_of(ratio)
    cells = grid.sort(filled(grid, np.eye(1, 900, channel)[0]))[0].astype(float)
    energy = grid.top_eV - grid.channel_eV * channel
    assert cells.sum() == pytest.approx(1.0, rel=1e-6)
    assert (cells * (grid.energy_eV - energy)).sum() == pytest.approx(0.0, abs=1e-5 * grid.cell_eV)
    assert (cells * (grid.energy_eV - energy) ** 2).sum() == pytest.approx(grid.cell_eV**2 / 3.0, rel=1e-4)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("first", [33, 64])
def test_a_cubic_comes_back_from_its_cells_as_itself(ratio, first):
    """With the coefficients of x³, x³ − x, splines add up to x³ at every channel; the first need not begin a cell."""
    grid = grid_of(ratio)
    place = np.arange(grid.cells) * ratio / 900.0
    coefficients = (place**3 - place * (ratio / 900.0) ** 2)[None, :].astype(np.float32)
    found = grid.unfold(coefficients, first, 900 - first)[0]
    np.testing.assert_allclose(found, (np.arange(first, 900) / 900.0) ** 3, atol=1e-6)


@pytest.mark.parametrize("ratio", RATIOS)
def test_the_way_back_is_the_way_there_transposed(ratio):
    grid = grid_of(ratio)
    random = np.random.default_rng(3)
    spectrum = np.zeros(900)
    spectrum[40:] = random.normal(size=860)
    cells = random.normal(size=(1, grid.cells)).astype(np.float32)
    there = (grid.sort(filled(grid, spectrum)).astype(float) * cells).sum()
    back = (grid.unfold(cells, 40, 860)[0] * spectrum[40:]).sum()
    assert there == pytest.approx(back, rel=1e-3, abs=1e-3)


def test_lines_of_neighbouring_samples_are_theirs_alone():
    samples = np.array([0, 0, 1, 3, 3, 3, 4])
    lines = Emission(samples, *(np.arange(7) + shift for shift in (0, 10, 20)), *(np.arange(7.0) for _ in range(3)))
    chosen = lines.of(slice(1, 4))
    np.testing.assert_array_equal(chosen.sample, [0, 2, 2, 2])
    np.testing.assert_array_equal(chosen.line, lines.line[2:6])
    np.testing.assert_array_equal(chosen.directed, lines.directed[2:6])
    assert not len(lines.of(slice(2, 3)).sample)
