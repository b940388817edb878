"""Elastic scattering, dipole factors and the acceptance cone, against published values and identities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.spectra.transport.escape import (
    attenuation_length,
    chandrasekhar_h,
    cone_cosines,
    dipole_factor,
    effective_asymmetry,
    elastic_escape_factor,
    polarised_dipole_factor,
    single_scattering_albedo,
    surface_excitation,
)

MAGIC_DEG = float(np.rad2deg(np.arccos(np.sqrt(1.0 / 3.0))))
angles = st.floats(0.0, 180.0)
asymmetries = st.floats(-1.0, 2.0)


@pytest.mark.parametrize(("angle_deg", "expected"), [(0.0, 0.965), (45.0, 0.957), (60.0, 0.949)])
def test_the_escape_factor_is_that_of_a_monte_carlo_calculation(angle_deg: float, expected: float) -> None:
    factor = elastic_escape_factor(np.array([0.2]), float(np.cos(np.deg2rad(angle_deg))))
    assert factor[0] == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("albedo", [0.1, 0.3, 0.6, 0.9])
def test_h_fulfils_its_integral(albedo: float) -> None:
    """∫₀¹ H dμ = 2(1 − √(1−ω))/ω, Chandrasekhar, Radiative Transfer, chapter V."""
    points, weights = np.polynomial.legendre.leggauss(40)
    area = sum(
        0.5 * weight * chandrasekhar_h(0.5 * (point + 1.0), albedo)
        for point, weight in zip(points, weights, strict=True)
    )
    assert area == pytest.approx(2.0 * (1.0 - np.sqrt(1.0 - albedo)) / albedo, rel=1e-5)


@given(cosine=st.floats(0.0, 1.0))
def test_h_is_one_without_scattering_and_at_grazing_emission(cosine: float) -> None:
    assert chandrasekhar_h(cosine, 0.0) == pytest.approx(1.0, abs=1e-12)
    assert chandrasekhar_h(0.0, 0.5) == pytest.approx(1.0, abs=1e-10)


@pytest.mark.parametrize("cosine", [0.3, 0.7071, 1.0])
def test_the_escape_factor_is_interpolated_well(cosine: float) -> None:
    albedo = np.linspace(0.0012, 0.9, 37)
    exact = [np.sqrt(1.0 - each) * chandrasekhar_h(cosine, float(each)) for each in albedo]
    np.testing.assert_allclose(elastic_escape_factor(albedo, cosine), exact, rtol=1e-6)


def test_without_elastic_scattering_electrons_go_straight() -> None:
    albedo = single_scattering_albedo(np.array([20.0]), np.array([np.inf]))
    assert albedo[0] == 0.0
    escape = elastic_escape_factor(albedo, 0.8)
    assert escape[0] == pytest.approx(1.0, abs=1e-12)
    assert attenuation_length(np.array([20.0]), albedo)[0] == 20.0
    assert effective_asymmetry(np.array([1.3]), albedo, escape)[0] == pytest.approx(1.3)


@given(asymmetry=asymmetries, angle_deg=angles)
def test_polarisation_that_turns_averages_out(asymmetry: float, angle_deg: float) -> None:
    """X-rays along z, emission at ψ; the polarisation turns in the plane across the X-rays."""
    beta, turns = np.array([asymmetry]), np.deg2rad(np.arange(0.0, 360.0, 45.0))
    between = np.rad2deg(np.arccos(np.sin(np.deg2rad(angle_deg)) * np.cos(turns)))
    mean = np.mean([polarised_dipole_factor(beta, float(angle))[0] for angle in between])
    assert mean == pytest.approx(dipole_factor(beta, angle_deg)[0], abs=1e-12)


@given(asymmetry=asymmetries)
def test_nothing_depends_on_the_asymmetry_at_the_magic_angle(asymmetry: float) -> None:
    beta = np.array([asymmetry])
    assert dipole_factor(beta, MAGIC_DEG)[0] == pytest.approx(1.0, abs=1e-12)
    assert polarised_dipole_factor(beta, MAGIC_DEG)[0] == pytest.approx(1.0, abs=1e-12)


@given(axis_deg=st.floats(0.0, 60.0), half_deg=st.floats(0.0, 29.0))
def test_a_cone_has_the_mean_cosines_of_its_solid_angle(axis_deg: float, half_deg: float) -> None:
    """⟨cos θ⟩ = cos α (1 + cos h)/2 and ⟨P₂(cos θ)⟩ = P₂(cos α) cos h (1 + cos h)/2 of a cone above the surface."""
    cosine, weight = cone_cosines(axis_deg, half_deg)
    axis, half = np.cos(np.deg2rad(axis_deg)), np.cos(np.deg2rad(half_deg))
    assert weight.sum() == pytest.approx(1.0)
    assert weight @ cosine == pytest.approx(0.5 * axis * (1.0 + half), rel=1e-6)
    second = weight @ (1.5 * cosine**2 - 0.5)
    assert second == pytest.approx((1.5 * axis**2 - 0.5) * 0.5 * half * (1.0 + half), abs=1e-6)
    lowest = np.cos(np.deg2rad(axis_deg + half_deg))
    assert (cosine >= lowest - 1e-12).all()
    assert (cosine <= 1.0 + 1e-12).all()


def test_a_cone_attenuates_as_all_its_directions_do() -> None:
    """The few cosines against a fine sum over the cone, for a film that lets e⁻³ through along the normal."""
    opening, turn = np.meshgrid(
        np.linspace(0.0, 1.0, 801)[1:] - 0.5 / 800, np.linspace(0.0, np.pi, 801)[1:] - 0.5 / 800
    )
    inner = 1.0 - opening * (1.0 - np.cos(np.deg2rad(20.0)))
    tilt = np.deg2rad(45.0)
    cosines = inner * np.cos(tilt) + np.sqrt(1.0 - inner**2) * np.sin(tilt) * np.cos(turn)
    cosine, weight = cone_cosines(45.0, 20.0)
    assert weight @ np.exp(-3.0 / cosine) == pytest.approx(np.exp(-3.0 / cosines).mean(), rel=1e-3)


def test_directions_below_the_surface_are_left_out() -> None:
    cosine, weight = cone_cosines(80.0, 30.0)
    assert (cosine > 0.0).all()
    assert weight.sum() == pytest.approx(1.0)


def test_surfaces_hold_slow_and_slanting_electrons_back() -> None:
    energy = np.array([100.0, 400.0, 1486.6])
    normal, slanting = surface_excitation(energy, 1.0), surface_excitation(energy, 0.5)
    assert (np.diff(normal) < 0.0).all()
    assert (slanting > normal).all()
    assert normal[0] == pytest.approx(1.0 / 2.73)
