"""Shapes of lines: Voigt profiles, the asymmetric lines of metals and valence bands, each of unit area."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import voigt_profile

PAIR_ENERGY_EV = 10.0
"""Mean reach of the electron–hole pairs that a metal's line leaves behind, of the order of the Fermi energy."""

_SIGMA_PER_FWHM = 1.0 / (2.0 * np.sqrt(2.0 * np.log(2.0)))
_STEPS_PER_SIGMA = 4.0
_STEPS_PER_HALF_WIDTH = 10.0
_SPARE_EV = 80.0


def line_profile(
    offset_eV: NDArray[np.float64],
    lorentz_fwhm: NDArray[np.float64] | float,
    gauss_fwhm: NDArray[np.float64] | float,
    singularity: NDArray[np.float64] | float = 0.0,
    band: NDArray[np.float64] | float = 0.0,
) -> NDArray[np.float64]:
    """Density per eV of a line at kinetic energies `offset_eV` from its place; the area over all energies is 1.

    The widths (eV, one of the two above 0), the singularity index α and the width of a valence band (eV) broadcast
    against the offsets; few different ones are quick. A line with α = 0 and no band is a Voigt profile.

    α > 0: Doniach and Šunjić's line (J. Phys. C 3, 285, 1970, 10.1088/0022-3719/3/2/010)
    Γ(1−α)·cos[πα/2 + (1−α)·atan(ε/γ)]/(ε²+γ²)^((1−α)/2), with its tail at lower kinetic energy and a Gaussian on top.
    Its area diverges, because pairs of any energy would be excited alike; Mahan's cut-off (Phys. Rev. B 11, 4814, 1975)
    e^{−T/ξ} on the energy T of the pairs makes it 1. What is left is Voigt ⊗ Gamma(α, ξ), with the characteristic
    function (1 + iξt)^{−α}·e^{−γ|t|−σ²t²/2}, and the formula above times 1/(π ξ^α) where |ε| is well below ξ.

    A band reaches from the line's place down to lower kinetic energies, as a half ellipse.
    """
    lorentz, gauss, alpha, width = np.broadcast_arrays(
        *(np.asarray(figure, dtype=np.float64) for figure in (lorentz_fwhm, gauss_fwhm, singularity, band))
    )
    kinds, kind = np.unique(np.stack([lorentz, gauss, alpha, width]).reshape(4, -1), axis=1, return_inverse=True)
    offset, kind = np.broadcast_arrays(np.asarray(offset_eV, dtype=np.float64), kind.reshape(lorentz.shape))
    density = np.empty(offset.shape)
    for place in range(kinds.shape[1]):
        chosen = kind == place
        density[chosen] = _density(offset[chosen], *kinds[:, place].tolist())
    return density


def _density(
    offset: NDArray[np.float64], lorentz: float, gauss: float, singularity: float, band: float
) -> NDArray[np.float64]:
    """One kind of line at offsets (points,): a Voigt profile, and what differs by a Fourier transform and a spline.

    The Voigt profile has the variance of the band, a quarter of its width squared, and the line's Lorentzian tails: the
    difference falls off with the third power, so that little of it wraps round.
    """
    sigma, half_width = gauss * _SIGMA_PER_FWHM, 0.5 * lorentz
    middle = -0.5 * band
    broad = float(np.hypot(sigma, 0.25 * band))
    voigt: NDArray[np.float64] = voigt_profile(offset - middle, broad, half_width)
    if (singularity == 0.0 and band == 0.0) or not offset.size:
        return voigt
    from scipy.fft import irfft, next_fast_len
    from scipy.interpolate import CubicSpline
    from scipy.special import j1

    step = max(sigma / _STEPS_PER_SIGMA, half_width / _STEPS_PER_HALF_WIDTH)
    reach = float(np.abs(offset).max()) + _SPARE_EV
    points = next_fast_len(2 * int(np.ceil(reach / step)), real=True)
    time = 2.0 * np.pi / (points * step) * np.arange(points // 2 + 1)
    pairs = (1.0 + 1j * PAIR_ENERGY_EV * time) ** -singularity
    ellipse = np.ones(len(time))
    if band > 0.0:
        ellipse[1:] = 2.0 * j1(-middle * time[1:]) / (-middle * time[1:])
    shape = pairs * ellipse * np.exp(-0.5 * (sigma * time) ** 2) - np.exp(-0.5 * (broad * time) ** 2)
    rest = shape * np.exp(1j * middle * time - half_width * time)
    density = np.roll(irfft(np.conj(rest), points), points // 2) / step
    spline = CubicSpline(step * (np.arange(points) - points // 2), density)
    profile: NDArray[np.float64] = np.maximum(voigt + spline(offset), 0.0)
    return profile
