"""What inelastic scattering makes of a line spectrum: losses of all orders at once, in Fourier space.

Partial intensities (Werner, Surf. Interface Anal. 31, 141, 2001, 10.1002/sia.973) along straight lines: an electron
that travels x inelastic mean free paths has n losses with Poisson probability e^{-x} xⁿ/n!, and n losses spread its
energy by the n-fold convolution of the normalised loss function w. With ŵ the transform of w, the sum over all n is
e^{-x(1−ŵ)}. Integrated over the depth of a half-space it is 1/(1−ŵ), over a film of x mean free paths (1 −
e^{-x(1−ŵ)})/(x(1−ŵ)), both for one electron that would leave without any loss.

An electron can lose energy without end, so transforms of a finite length would wrap losses round to the top of the
spectrum. Signals are therefore damped by e^{-aT} along the energy loss T before the transform, and the result is raised
by e^{aT} after it: what wraps round is smaller by e^{-aL} = 1e-8, and rounding errors grow by no more than 1e8.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TOUGAARD_C = 1643.0
"""eV²; universal loss function of Tougaard, Surf. Interface Anal. 11, 453 (1988), 10.1002/sia.740110902."""

_WRAP = 1e-8


def tougaard_universal(losses: int, channel: float) -> NDArray[np.float64]:
    """The universal loss function w(T) ∝ T/(C + T²)² in channels of `channel` eV, shape (losses,).

    Entry j is the probability that one inelastic collision takes an energy within half a channel of j channels; all
    losses up to infinity sum to 1.
    """
    edges = np.concatenate(([0.0], (np.arange(losses) + 0.5) * channel))
    cumulative = 1.0 - TOUGAARD_C / (TOUGAARD_C + edges**2)
    return np.diff(cumulative)


@dataclass(frozen=True)
class LossSpace:
    """The damped Fourier space of energy losses: `length` channels from the highest kinetic energy downwards."""

    length: int

    @property
    def damping(self) -> NDArray[np.float64]:
        """e^{-aT} at each channel, (length,)."""
        rate = -np.log(_WRAP) / self.length
        damping: NDArray[np.float64] = np.exp(-rate * np.arange(self.length))
        return damping

    def transform(self, signal: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Transform of signals (…, length) that are already damped."""
        from scipy.fft import rfft

        result: NDArray[np.complex128] = rfft(signal, self.length, axis=-1)
        return result

    def invert(self, transform: NDArray[np.complex128]) -> NDArray[np.float64]:
        """The damped signals (…, length) of transforms; the caller divides by `damping`."""
        from scipy.fft import irfft

        signal: NDArray[np.float64] = irfft(transform, self.length, axis=-1)
        return signal

    def missing(self, loss_function: NDArray[np.float64]) -> NDArray[np.complex128]:
        """1 − ŵ for a loss function (at least `length` entries), shape (length//2 + 1,)."""
        return 1.0 - self.transform(loss_function[: self.length] * self.damping)

    def gaussians(self, sigma_channels: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Transforms of Gaussians of unit area, (…, length//2 + 1), that broaden a damped signal.

        On a grid of channels the kernel that keeps a Gaussian's semigroup and variance exactly is e^{-σ²} I_j(σ²)
        (Lindeberg, IEEE TPAMI 12, 234, 1990, 10.1109/34.49051), with the transform exp(σ²(cos ω − 1)); the damping
        moves it to the complex frequency ω − ia.
        """
        rate = -np.log(_WRAP) / self.length
        frequency = 2.0 * np.pi * np.arange(self.length // 2 + 1) / self.length
        moved = np.cos(frequency) * np.cosh(rate) - 1.0 + 1j * np.sin(frequency) * np.sinh(rate)
        return _exponential(np.square(sigma_channels)[..., None] * moved)


def transmitted(missing: NDArray[np.complex128], paths: NDArray[np.float64]) -> NDArray[np.complex128]:
    """e^{-x(1−ŵ)} for electrons that cross x inelastic mean free paths, `paths` (…, 1)."""
    return _exponential(-paths * missing)


def _exponential(exponent: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """e^z from real functions, which NumPy vectorises; its complex exponential is not."""
    size = np.exp(exponent.real)
    result = np.empty(exponent.shape, dtype=np.complex128)
    np.multiply(size, np.cos(exponent.imag), out=result.real)
    np.multiply(size, np.sin(exponent.imag), out=result.imag)
    return result
