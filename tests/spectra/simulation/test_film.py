"""Shares of lines between reference paths, and the film's table over thickness."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaincc

from xpshpc.spectra.settings import Physics, SpectraSettings
from xpshpc.spectra.simulation.background import Tabulated
from xpshpc.spectra.simulation.film import Film, loss_free_share
from xpshpc.spectra.simulation.simulator import Simulator

LINES_EV = np.array([420.0, 700.0, 955.0, 1202.0, 1470.0])


@pytest.fixture(scope="module", params=[False, True], ids=["no surface losses", "surface losses"])
def film(request) -> Film:
    job = SpectraSettings()
    return Simulator(job.samples, job.instrument, Physics(surface_excitations=request.param)).film


def shares_of(film: Film, thickness: float) -> np.ndarray:
    return film.shares(np.array([thickness]), LINES_EV)[0]


def paths_of(film: Film, thickness: float, energy: np.ndarray) -> np.ndarray:
    return thickness * film.paths_per_A(energy) + film.surface_paths(energy)


@settings(max_examples=30)
@given(thickness=st.floats(0.3, 40.0))
def test_shares_keep_all_electrons_those_without_a_loss_and_those_with_one(film, thickness):
    shares = shares_of(film, thickness)
    per_A, surface = film.references
    nodes = thickness * per_A + surface
    paths = paths_of(film, thickness, LINES_EV)
    np.testing.assert_allclose(shares.sum(axis=0), 1.0, rtol=1e-8)
    np.testing.assert_allclose(nodes @ shares, paths, rtol=1e-7)
    np.testing.assert_allclose(np.exp(nodes) @ shares, np.exp(paths), rtol=1e-7)


@pytest.mark.parametrize("losses", [2, 3, 5, 8])
@pytest.mark.parametrize("thickness", [5.0, 20.0, 40.0])
def test_later_losses_of_a_substrate_are_right_to_three_percent(film, thickness, losses):
    """What arrives from below a film after n losses is Γ(n + 1, x)/n! of the electrons of a half-space."""
    shares = shares_of(film, thickness)
    per_A, surface = film.references
    nodes, paths = thickness * per_A + surface, paths_of(film, thickness, LINES_EV)
    found = (gammaincc(losses + 1, nodes) * np.exp(nodes)) @ shares
    expected = gammaincc(losses + 1, paths)
    np.testing.assert_allclose(found * np.exp(-paths), expected, atol=0.03)


def test_slow_electrons_cross_more_paths(film):
    assert (np.diff(film.paths_per_A(np.linspace(300.0, 1480.0, 40))) < 0).all()


def test_the_share_without_a_loss_is_that_of_electrons_from_evenly_spread_depths():
    depths = (np.arange(100_000) + 0.5) / 100_000
    for paths in (0.01, 1.0, 7.0):
        mean = np.exp(-paths * depths).mean()
        assert loss_free_share(np.array([paths]))[0] == pytest.approx(mean, rel=1e-8)


def test_a_table_over_thickness_equals_what_it_tabulates():
    """Within h²/8 of the second derivative, and exactly beyond its end."""
    rates = np.array([0.05, 0.1 + 0.05j, 0.16])

    def exact(thickness: np.ndarray) -> np.ndarray:
        return np.exp(-thickness[:, None] * rates)

    table = Tabulated(exact, step=0.5, most=40.0)
    inside = np.linspace(0.0, 40.5, 333)
    error = np.abs(table.at(inside) - exact(inside)) / np.abs(exact(inside))
    assert (error <= 1.05 * 0.5**2 / 8.0 * np.abs(rates) ** 2).all()
    beyond = np.array([41.3, 60.0, 500.0])
    np.testing.assert_array_equal(table.at(beyond), exact(beyond))
    np.testing.assert_array_equal(table.at(np.array([3.3, 60.0]))[0], table.at(np.array([3.3]))[0])
