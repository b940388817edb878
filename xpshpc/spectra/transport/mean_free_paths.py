"""How far electrons travel in matter: inelastic and transport mean free paths."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.spectra.elements import ATOMIC_NUMBERS, ELEMENTS
from xpshpc.spectra.matter.materials import Material
from xpshpc.spectra.tables import read_table

_REST_ENERGY_EV = 510998.9
_A_PER_NM = 10.0
_FIT_RANGE_EV = (80.0, 10_000.0)

MeanFreePath = Callable[[Material, NDArray[np.float64]], NDArray[np.float64]]
"""A formula for the inelastic mean free path: of a material at energies (eV), in Å."""


def mean_free_path(imfp: str) -> MeanFreePath:
    """The formula of this name, "JTP" or "TPP-2M"; raises UsageError for another."""
    formulas: dict[str, MeanFreePath] = {"JTP": inelastic_mean_free_path, "TPP-2M": tpp_2m}
    if imfp not in formulas:
        raise UsageError(f"unknown formula {imfp!r} for the inelastic mean free path", try_=" or ".join(formulas))
    return formulas[imfp]


def inelastic_mean_free_path(material: Material, energy_eV: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inelastic mean free path in Å by the JTP formula; the material's arrays and the energies (eV) broadcast.

    Source: Jablonski, Tanuma, Powell, Surf. Interface Anal. 55, 609 (2023), 10.1002/sia.7217.
    """
    density = material.density
    electrons = material.valence_electrons * density / material.mass
    plasmon_squared = 28.816**2 * electrons
    beta = 0.0539 + 17.0 / (plasmon_squared + material.band_gap**2) ** 0.639 - 0.252 * density**-0.463
    gamma = 0.115 * density**-0.253
    c = 9.76 + 2.09 * electrons
    d = 97.5 + 223.0 * electrons
    ratio = energy_eV / _REST_ENERGY_EV
    alpha_energy = energy_eV * (1.0 + 0.5 * ratio) / (1.0 + ratio) ** 2
    inverse = 1.0 / energy_eV
    bethe = beta * np.log(gamma * alpha_energy) - (c - d * inverse) * inverse
    path: NDArray[np.float64] = _A_PER_NM * alpha_energy / (plasmon_squared * bethe)
    return path


def tpp_2m(material: Material, energy_eV: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inelastic mean free path in Å by the TPP-2M formula; the material's arrays and the energies (eV) broadcast.

    Source: Tanuma, Powell, Penn, Surf. Interface Anal. 21, 165 (1994), 10.1002/sia.740210302. Not relativistic: made
    for 50–2000 eV.
    """
    density = material.density
    electrons = material.valence_electrons * density / material.mass
    plasmon_squared = 28.8**2 * electrons
    beta = -0.10 + 0.944 / np.sqrt(plasmon_squared + material.band_gap**2) + 0.069 * density**0.1
    gamma = 0.191 / np.sqrt(density)
    c = 1.97 - 0.91 * electrons
    d = 53.4 - 20.8 * electrons
    inverse = 1.0 / energy_eV
    bethe = beta * np.log(gamma * energy_eV) - (c - d * inverse) * inverse
    path: NDArray[np.float64] = energy_eV / (plasmon_squared * bethe)
    return path


@cache
def _transport_coefficients() -> NDArray[np.float64]:
    rows = {int(row["Z"]): row for row in read_table("transport_fit.csv")}
    return np.array([[float(rows[ATOMIC_NUMBERS[symbol]][f"c{k}"]) for k in range(11)] for symbol in ELEMENTS])


def transport_cross_section(element: int, energy_eV: NDArray[np.float64]) -> NDArray[np.float64]:
    """Transport cross-section (Å²) of an element (its place in ELEMENTS) for elastic scattering, 80–10 000 eV.

    A Chebyshev fit to NIST SRD 64 (10.18434/T4NK50), worst error 1.6 %. Beyond its range it is what it is at the end.
    """
    low, high = np.log(_FIT_RANGE_EV)
    place = np.clip((2.0 * np.log(energy_eV) - low - high) / (high - low), -1.0, 1.0)
    sigma: NDArray[np.float64] = np.exp(np.polynomial.chebyshev.chebval(place, _transport_coefficients()[element]))
    return sigma


def transport_mean_free_path(
    elements: NDArray[np.intp], fractions: NDArray[np.float64], atoms_per_A3: float, energy_eV: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Transport mean free path (Å) in one mixture of `elements` and atomic `fractions`, both (k,): 1/Σ n σ_tr."""
    total = sum(
        fraction * transport_cross_section(int(element), energy_eV)
        for element, fraction in zip(elements, fractions, strict=True)
        if fraction > 0
    )
    path: NDArray[np.float64] = 1.0 / (atoms_per_A3 * np.asarray(total))
    return path
