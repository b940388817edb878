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

_WRAP = 1e-8


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

    @property
    def one_channel(self) -> NDArray[np.complex128]:
        """e^{-(a + iω)}, (length//2 + 1,): the transform of a shift to the next larger loss."""
        rate = -np.log(_WRAP) / self.length
        frequency = 2.0 * np.pi * np.arange(self.length // 2 + 1) / self.length
        step: NDArray[np.complex128] = np.exp(-rate - 1j * frequency)
        return step

    def shifts(self, channels: NDArray[np.intp]) -> NDArray[np.complex128]:
        """Transforms of shifts to larger losses by whole channels (…), shape (…, length//2 + 1).

        They are powers of one number for each shift: each run of them gives the next, twice as long.
        """
        number = self.length // 2 + 1
        ratio = np.exp(-2j * np.pi / self.length * channels)
        powers = np.empty((*channels.shape, number), dtype=np.complex128)
        powers[..., 0] = self.one_channel[0].real ** channels
        known = 1
        while known < number:
            more = min(known, number - known)
            np.multiply(powers[..., :more], ratio[..., None], out=powers[..., known : known + more])
            ratio *= ratio
            known += more
        return powers

    def spline_shifts(self, channels: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Transforms of cubic B-splines at any places (…), in channels towards larger losses, (…, length//2 + 1)."""
        whole = np.floor(channels)
        weights = cubic_weights(channels - whole)
        one = self.one_channel
        transforms = weights[3][..., None] * one
        for weight in weights[2:0:-1]:
            transforms += weight[..., None]
            transforms *= one
        transforms += weights[0][..., None]
        transforms *= self.shifts(whole.astype(np.intp) - 1)
        return transforms

    def sampled_spline(self) -> NDArray[np.complex128]:
        """Transform of the cubic B-spline's values on the channels, (1, 4, 1)/6: from coefficients to values."""
        one = self.one_channel
        spline: NDArray[np.complex128] = (4.0 + one + 1.0 / one) / 6.0
        return spline


def cubic_weights(place: NDArray[np.float64] | float) -> tuple[NDArray[np.float64], ...]:
    """What a cubic B-spline at `place` (0 to 1) behind a channel weighs in the channel before, in it, and in the two
    that follow; the same, what these four weigh at that place.
    """
    u = np.asarray(place, dtype=np.float64)
    rest = 1.0 - u
    return (
        rest**3 / 6.0,
        ((3.0 * u - 6.0) * u**2 + 4.0) / 6.0,
        ((3.0 * rest - 6.0) * rest**2 + 4.0) / 6.0,
        u**3 / 6.0,
    )


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
