"""How electrons get out of matter: elastic scattering, attenuation, surface excitations, and the angles.

Elastic scattering enters by the single-scattering albedo ω = λ/(λ + λ_tr), with λ the inelastic and λ_tr the transport
mean free path (Tilinin, Jablonski, Zemek, Hucek, J. Electron Spectrosc. 87, 127, 1997).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

_QUADRATURE = 64
_ALBEDOS = 201
_LARGEST_ALBEDO = 0.995
_NODES = 6
_NARROWEST = 1e-9
_SURFACE_EV = 0.173
"""eV^-½, the customary value for nearly-free electrons; that of other metals is larger, up to about twice."""


def single_scattering_albedo(inelastic_A: NDArray[np.float64], transport_A: NDArray[np.float64]) -> NDArray[np.float64]:
    """ω = λ/(λ + λ_tr), from 0 (no elastic scattering) to 1."""
    albedo: NDArray[np.float64] = inelastic_A / (inelastic_A + transport_A)
    return albedo


def elastic_escape_factor(albedo: NDArray[np.float64], cosine: float) -> NDArray[np.float64]:
    """Q = √(1−ω)·H(μ, ω): intensity from a homogeneous solid against straight lines, at μ = `cosine` of the emission.

    H is Chandrasekhar's function of isotropic scattering. Interpolated in ω between exact values, to 1e-6 below 0.9.
    """
    clipped = np.clip(albedo, 0.0, _LARGEST_ALBEDO)
    place = clipped * ((_ALBEDOS - 1) / _LARGEST_ALBEDO)
    left = np.minimum(place.astype(np.intp), _ALBEDOS - 2)
    values, slopes = _escape_table(float(cosine))
    t = place - left
    gap = values[left + 1] - values[left]
    first, second = slopes[left], slopes[left + 1]
    factor: NDArray[np.float64] = values[left] + t * (
        first + t * (3.0 * gap - 2.0 * first - second + t * (first + second - 2.0 * gap))
    )
    return factor


def chandrasekhar_h(cosine: float, albedo: float) -> float:
    """Chandrasekhar's H(μ, ω) of isotropic scattering, to 1e-10.

    It solves 1/H(μ) = √(1−ω) + (ω/2) ∫₀¹ x H(x)/(x + μ) dx (Radiative Transfer, Dover 1960, chapter V).
    """
    points, weights, values = _chandrasekhar_solution(albedo)
    root = np.sqrt(1.0 - albedo)
    return float(1.0 / (root + 0.5 * albedo * np.sum(weights * points * values / (points + cosine))))


@cache
def _chandrasekhar_solution(
    albedo: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Points and weights of a quadrature over 0…1, and H at its points."""
    points, weights = np.polynomial.legendre.leggauss(_QUADRATURE)
    points, weights = 0.5 * (points + 1.0), 0.5 * weights
    kernel = 0.5 * albedo * weights * points / (points + points[:, None])
    root = np.sqrt(1.0 - albedo)
    values = np.ones(_QUADRATURE)
    for _ in range(10_000):
        following = 1.0 / (root + kernel @ values)
        change = np.abs(following - values).max()
        values = 0.5 * (following + values)
        if change < 1e-13:
            break
    return points, weights, values


@cache
def _escape_table(cosine: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Q on a grid of albedos, and its slopes for one step of the grid."""
    albedos = np.linspace(0.0, _LARGEST_ALBEDO, _ALBEDOS)
    values = np.array([np.sqrt(1.0 - albedo) * chandrasekhar_h(cosine, float(albedo)) for albedo in albedos])
    return values, np.gradient(values, edge_order=2)


def effective_asymmetry(
    asymmetry: NDArray[np.float64], albedo: NDArray[np.float64], escape: NDArray[np.float64]
) -> NDArray[np.float64]:
    """β_eff = β(1−ω)/Q: what elastic scattering leaves of the dipole asymmetry, `escape` being Q."""
    effective: NDArray[np.float64] = asymmetry * (1.0 - albedo) / escape
    return effective


def attenuation_length(inelastic_A: NDArray[np.float64], albedo: NDArray[np.float64]) -> NDArray[np.float64]:
    """L = λ(1 − 0.738ω): exp(−d/(L cos θ)) is what a film lets through, for emission angles up to 50°, 1.4 % rms.

    Source: Jablonski and Powell, J. Phys. Chem. Ref. Data 49, 033102 (2020), 10.1063/5.0008576, Eq. 20.
    """
    length: NDArray[np.float64] = inelastic_A * (1.0 - 0.738 * albedo)
    return length


def surface_excitation(energy_eV: NDArray[np.float64], cosine: float) -> NDArray[np.float64]:
    """Mean number P_s = 1/(a√E cos θ + 1) of surface excitations on the way out; exp(−P_s) leave without one.

    The form is Oswald's, as Werner and co-workers use it to compare metals, with the customary a = 0.173 eV^-½ of
    nearly-free electrons for all materials.
    """
    mean: NDArray[np.float64] = 1.0 / (_SURFACE_EV * np.sqrt(energy_eV) * cosine + 1.0)
    return mean


def dipole_factor(asymmetry: NDArray[np.float64], angle_deg: float) -> NDArray[np.float64]:
    """1 − β/4·(3cos²ψ − 1): emission at ψ from unpolarised X-rays against the mean over the sphere.

    Source: Cooper and Zare, J. Chem. Phys. 48, 942 (1968), 10.1063/1.1668742. It is 1 at ψ = 54.7°.
    """
    factor: NDArray[np.float64] = 1.0 - 0.25 * asymmetry * (3.0 * np.cos(np.deg2rad(angle_deg)) ** 2 - 1.0)
    return factor


def polarised_dipole_factor(asymmetry: NDArray[np.float64], angle_deg: float) -> NDArray[np.float64]:
    """1 + β/2·(3cos²χ − 1): the same for X-rays polarised along a direction at χ to the emission."""
    factor: NDArray[np.float64] = 1.0 + 0.5 * asymmetry * (3.0 * np.cos(np.deg2rad(angle_deg)) ** 2 - 1.0)
    return factor


def cone_cosines(angle_deg: float, half_angle_deg: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cosines of emission angles that stand for an acceptance cone, and their weights (sum 1), both (directions,).

    `angle_deg` is the cone's axis to the surface normal. All directions inside the cone count alike, those below the
    surface are left out. The few cosines are the Gaussian quadrature of the cone's own distribution of cosines: their
    weighted mean of a polynomial in cos θ of degree 11 or less is that of the whole cone.
    """
    if half_angle_deg <= 0.0:
        return np.array([np.cos(np.deg2rad(angle_deg))]), np.ones(1)
    points, weights = np.polynomial.legendre.leggauss(32)
    edge = np.cos(np.deg2rad(half_angle_deg))
    opening = edge + 0.5 * (1.0 - edge) * (points + 1.0)
    turns = np.deg2rad(np.arange(180) + 0.5)
    tilt = np.deg2rad(angle_deg)
    cosines = opening[:, None] * np.cos(tilt) + np.sqrt(1.0 - opening[:, None] ** 2) * np.sin(tilt) * np.cos(turns)
    shares = np.broadcast_to(weights[:, None], cosines.shape)
    above = cosines > 1e-3
    return _gauss_nodes(cosines[above], shares[above] / shares[above].sum())


def _gauss_nodes(
    places: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The Gaussian quadrature of a discrete distribution (weights sum to 1), by Lanczos' recurrence.

    See Golub and Welsch, Math. Comp. 23, 221 (1969), 10.1090/S0025-5718-69-99647-1. The places are stretched to −1…1
    first, so that a narrow distribution does not drown in rounding errors.
    """
    middle, half = 0.5 * (places.max() + places.min()), 0.5 * (places.max() - places.min())
    if half < _NARROWEST:
        return np.array([weights @ places]), np.ones(1)
    places = (places - middle) / half
    basis = np.sqrt(weights)[None, :]
    jacobi = np.zeros((_NODES, _NODES))
    for k in range(_NODES):
        following = places * basis[k]
        jacobi[k, k] = following @ basis[k]
        if k + 1 < _NODES:
            following -= (following @ basis.T) @ basis
            length = float(np.linalg.norm(following))
            jacobi[k, k + 1] = jacobi[k + 1, k] = length
            basis = np.concatenate([basis, following[None, :] / length])
    nodes, vectors = np.linalg.eigh(jacobi)
    return middle + half * nodes, np.square(vectors[0])
