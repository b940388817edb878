"""Drawn lines keep their area, place and shape, wherever they stand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xpshpc.spectra.lines.lineshape import line_profile
from xpshpc.spectra.lines.sources import XraySource
from xpshpc.spectra.simulation.profile_bank import CHUNK, LineShapes, ProfileBank, shape_lines

TOP, CELL, CELLS = 1500.0, 0.53, 1600
ENERGY = TOP - CELL * np.arange(CELLS)
SOURCE = XraySource("two satellites", 1486.6, 0.85, ((10.0, 0.1), (40.0, 0.02)))


def shapes() -> LineShapes:
    """A Voigt line, one with satellites, a metal's, a valence band."""
    return shape_lines(
        np.array([0.4, 0.4, 0.3, 0.0]),
        np.array([1.0, 1.0, 1.1, 1.2]),
        np.array([0.0, 0.0, 0.15, 0.0]),
        np.array([0.0, 0.0, 0.0, 7.0]),
        np.array([False, True, False, False]),
        SOURCE,
    )


@pytest.fixture(scope="module")
def bank() -> ProfileBank:
    return ProfileBank(shapes(), top_eV=TOP, cell_eV=CELL, cells=CELLS)


def draw_one(bank: ProfileBank, shape: int, energy: float, intensity: float = 1.0) -> np.ndarray:
    return bank.draw(np.array([0]), np.array([shape]), np.array([energy]), np.array([intensity]), 1)[0]


@settings(max_examples=40)
@given(energy=st.floats(900.0, 1350.0), shape=st.sampled_from([0, 1, 2, 3]))
def test_a_line_keeps_its_area_wherever_it_stands(bank, energy, shape):
    spectrum = draw_one(bank, shape, energy, 3.0)
    assert spectrum.sum(dtype=float) == pytest.approx(3.0 * (1.12 if shape == 1 else 1.0), rel=1e-5)


@settings(max_examples=40)
@given(energy=st.floats(900.0, 1350.0))
def test_a_symmetric_line_stands_within_a_hundredth_of_an_eV_or_half_a_place(bank, energy):
    spectrum = draw_one(bank, 0, energy).astype(float)
    assert (spectrum * ENERGY).sum() / spectrum.sum() == pytest.approx(energy, abs=0.5 * CELL / 16 + 1e-3)


@pytest.mark.parametrize(
    ("lorentz", "gauss", "singularity", "band"), [(0.4, 1.0, 0.0, 0.0), (0.3, 1.1, 0.15, 0.0), (0.0, 1.2, 0.0, 7.0)]
)
def test_a_cell_holds_the_mean_of_the_profile_over_it(lorentz, gauss, singularity, band):
    figures = [np.array([figure]) for figure in (lorentz, gauss, singularity, band)]
    one = ProfileBank(shape_lines(*figures, np.array([False]), SOURCE), top_eV=TOP, cell_eV=CELL, cells=CELLS)
    energy = TOP - CELL * 700.25
    points = ENERGY[:, None] + CELL * ((np.arange(40) + 0.5) / 40 - 0.5)
    near = np.abs(ENERGY - energy) < 10.0
    expected = CELL * line_profile(points[near] - energy, lorentz, gauss, singularity, band).mean(axis=1)
    np.testing.assert_allclose(draw_one(one, 0, energy)[near], expected, atol=0.02 * expected.max())


def test_satellites_stand_at_higher_energies_with_their_heights(bank):
    beside = draw_one(bank, 1, 1100.0).astype(float) - draw_one(bank, 0, 1100.0)
    for shift, height in SOURCE.satellites:
        near = np.abs(ENERGY - 1100.0 - shift) < 8.0
        assert beside[near].sum() == pytest.approx(height, rel=0.06)
        assert ENERGY[near][beside[near].argmax()] == pytest.approx(1100.0 + shift, abs=CELL)


@settings(max_examples=25)
@given(energies=st.lists(st.floats(500.0, 1700.0), min_size=1, max_size=12), rows=st.integers(1, 5))
def test_spectra_are_sums_of_their_own_lines(bank, energies, rows):
    """Also with lines at the edges and beyond the grid."""
    energy = np.array(energies)
    row = np.arange(len(energy)) % rows
    shape = np.arange(len(energy)) % 4
    drawn = bank.draw(row, shape, energy, np.ones(len(energy)), rows)
    alone = np.zeros_like(drawn)
    for place, centre in enumerate(energies):
        alone[row[place]] += draw_one(bank, int(shape[place]), centre)
    np.testing.assert_allclose(drawn, alone, atol=1e-6)


def test_a_line_that_comes_in_from_beyond_an_edge_is_cut_there(bank):
    edge = draw_one(bank, 0, TOP + 1.0)
    middle = draw_one(bank, 0, TOP + 1.0 - 500 * CELL)
    np.testing.assert_allclose(edge[:20], middle[500:520], atol=1e-6)
    assert not draw_one(bank, 0, TOP + 400.0).any()
    assert CELLS % CHUNK == 0
