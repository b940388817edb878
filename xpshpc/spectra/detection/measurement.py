"""From the spectrum that leaves the surface to counts: transmission, dose, dark counts, noise, the stored type."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, idct

from xpshpc.plan.seeds import Streams
from xpshpc.source import SampleError
from xpshpc.spectra.detection.noise import poisson_counts
from xpshpc.spectra.matter.batch import Purpose
from xpshpc.spectra.settings import Instrument

_LARGEST_UINT16 = 65535
_SIGMA_PER_FWHM = 1.0 / (2.0 * np.sqrt(2.0 * np.log(2.0)))


class Measurements(Protocol):
    """How each of n spectra is measured, all (n,); `index` chooses the noise. A batch of samples tells it."""

    @property
    def index(self) -> NDArray[np.int64]: ...

    @property
    def analyser_fwhm_eV(self) -> NDArray[np.float64]: ...

    @property
    def transmission_exponent(self) -> NDArray[np.float64]: ...

    @property
    def detector_background(self) -> NDArray[np.float64]: ...

    @property
    def peak_counts(self) -> NDArray[np.float64]: ...


def resolve(spectra: NDArray[np.float64], batch: Measurements, instrument: Instrument) -> NDArray[np.float64]:
    """The analyser's resolution: each spectrum of (n, channels) convolved with a Gaussian of its own width.

    The spectra are values at the channels' energies; a channel counts what falls into its width, so they are averaged
    over it as well. At the window's ends a spectrum is continued as its mirror image.
    """
    frequency = np.arange(instrument.channels) / (2.0 * instrument.channels)
    sigma = batch.analyser_fwhm_eV[:, None] * _SIGMA_PER_FWHM / instrument.channel_eV
    transfer = np.exp(-2.0 * (np.pi * frequency * sigma) ** 2) * np.sinc(frequency)
    resolved: NDArray[np.float64] = np.maximum(idct(dct(spectra, axis=1) * transfer, axis=1), 0.0)
    return resolved


def detect(spectra: NDArray[np.float64], batch: Measurements, instrument: Instrument) -> NDArray[np.float64]:
    """Expected counts (n, channels) of spectra in any unit, as the analyser passes them on.

    Transmission is E^-n times the instrument's table; the dose sets the strongest channel, of which a constant share is
    the detector's own background.
    """
    energy = instrument.energy_axis()
    passed = spectra * np.exp(-batch.transmission_exponent[:, None] * np.log(energy / energy[-1]))
    if instrument.transmission_table:
        passed *= np.interp(energy, *np.array(instrument.transmission_table).T)
    strongest = passed.max(axis=1, keepdims=True)
    dark = batch.detector_background[:, None]
    expected: NDArray[np.float64] = batch.peak_counts[:, None] * (
        (1.0 - dark) * passed / np.where(strongest > 0.0, strongest, 1.0) + dark
    )
    return expected


def measure(
    expected: NDArray[np.floating], batch: Measurements, instrument: Instrument, streams: Streams
) -> NDArray[Any]:
    """Counts as they are stored, (n, channels), of expected ones; noise from the streams of the samples' indices.

    Raises SampleError for counts that the stored type does not hold.
    """
    counts: NDArray[Any] = expected
    if instrument.noise:
        deviates = streams.normal(batch.index, Purpose.NOISE, instrument.channels)
        counts = poisson_counts(expected, deviates)
    if instrument.counts == "float32":
        return counts.astype(np.float32)
    if not instrument.noise:
        counts = np.rint(counts)
    over = np.flatnonzero(counts.max(axis=1) > _LARGEST_UINT16)
    if over.size:
        worst = counts[over[0]].max()
        raise SampleError(int(batch.index[over[0]]), f"{worst:.0f} counts in a channel overflow uint16")
    return counts.astype(np.uint16)
