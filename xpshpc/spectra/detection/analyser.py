"""From electrons that leave surfaces to expected counts, many spectra at once: resolution, transmission, dose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xpshpc.spectra.matter.batch import SampleBatch
from xpshpc.spectra.settings import Instrument
from xpshpc.spectra.simulation.emission import Emission

SIGMA_PER_FWHM = 1.0 / (2.0 * np.sqrt(2.0 * np.log(2.0)))
_CHANNELS_PER_FWHM = 1.5
_SIGMAS = 8.0


class Analyser:
    """An analyser and its detector. Lines come in with its finest resolution, at least `narrowest_fwhm_eV` wide.

    Spectra are ordered by falling kinetic energy. One to be blurred has `points` channels: `edge` more than the window
    on the side of high kinetic energy, and at least as many on the other.
    """

    def __init__(self, instrument: Instrument, narrowest_fwhm_eV: float) -> None:
        from scipy.fft import next_fast_len

        energy = instrument.energy_axis()[::-1]
        self._instrument = instrument
        self._channel_eV = instrument.channel_eV
        self._highest_eV = float(energy[0])
        self._finest_fwhm_eV = instrument.analyser_fwhm_eV[0]
        widest = instrument.analyser_fwhm_eV[1] * SIGMA_PER_FWHM
        self.edge = int(np.ceil(_SIGMAS * widest / self._channel_eV)) + 1
        self.points = int(next_fast_len(instrument.channels + 2 * self.edge, real=True))
        frequency = 2.0 * np.pi * np.arange(self.points // 2 + 1) / self.points
        sampled = narrowest_fwhm_eV >= _CHANNELS_PER_FWHM * self._channel_eV
        self._curvature = (-0.5 * frequency**2 if sampled else np.cos(frequency) - 1.0).astype(np.float32)
        self._log_energy = np.log(energy / self._highest_eV).astype(np.float32)
        self._tabulated = _tabulated(instrument, energy).astype(np.float32)

    def missing_sigma_eV(self, batch: SampleBatch) -> NDArray[np.float64]:
        """What each spectrum lacks to its own resolution, as the σ of a Gaussian, (n,)."""
        lacking = np.maximum(batch.analyser_fwhm_eV**2 - self._finest_fwhm_eV**2, 0.0)
        sigma: NDArray[np.float64] = np.sqrt(lacking) * SIGMA_PER_FWHM
        return sigma

    def blur(self, spectra: NDArray[np.float32], sigma_eV: NDArray[np.float64]) -> NDArray[np.float32]:
        """Convolves spectra with Gaussians of unit area.

        Where channels are too wide to hold the narrowest lines, the kernel is e^{-σ²} I_j(σ²), with the transform
        exp(σ²(cos ω − 1)): it keeps area and variance and never overshoots (Lindeberg, IEEE TPAMI 12, 234, 1990,
        10.1109/34.49051).
        """
        from scipy.fft import irfft, rfft

        variance = np.square(sigma_eV / self._channel_eV).astype(np.float32)
        transform = rfft(spectra, axis=1)
        transform *= np.exp(variance[:, None] * self._curvature)
        result: NDArray[np.float32] = irfft(transform, spectra.shape[1], axis=1)
        return result

    def detect(
        self, spectra: NDArray[np.float32], batch: SampleBatch
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Counts of electrons, and the counts (n,) for each electron at a transmission of 1."""
        exponent = batch.transmission_exponent[:, None].astype(np.float32)
        passed = self._log_energy * -exponent
        np.exp(passed, out=passed)
        if self._instrument.transmission_table:
            passed *= self._tabulated
        passed *= spectra
        np.maximum(passed, np.float32(0.0), out=passed)
        strongest = passed.max(axis=1).astype(np.float64)
        gain = batch.peak_counts * (1.0 - batch.detector_background) / np.where(strongest > 0.0, strongest, 1.0)
        passed *= gain[:, None].astype(np.float32)
        passed += (batch.peak_counts * batch.detector_background)[:, None].astype(np.float32)
        return passed, gain

    def transmission_at(self, lines: Emission, batch: SampleBatch) -> NDArray[np.float64]:
        """The analyser's transmission at the energies of lines as they leave the surface, (entries,)."""
        energy = lines.energy_eV - self._instrument.work_function_eV
        relative = np.maximum(energy, 1.0) / self._highest_eV
        passed: NDArray[np.float64] = relative ** -batch.transmission_exponent[lines.sample]
        return passed * _tabulated(self._instrument, energy)


def _tabulated(instrument: Instrument, energy_eV: NDArray[np.float64]) -> NDArray[np.float64]:
    """The instrument's table of transmission at these energies, 1 without a table."""
    if not instrument.transmission_table:
        return np.ones(energy_eV.shape)
    known, transmission = np.array(instrument.transmission_table).T
    passed: NDArray[np.float64] = np.interp(energy_eV, known, transmission)
    return passed
