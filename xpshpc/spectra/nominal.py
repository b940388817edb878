"""One instrument out of the many that a job allows: the middle of each range, and the highest dose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpshpc.plan.seeds import Streams
from xpshpc.spectra.batch import SampleBatch
from xpshpc.spectra.measurement import detect, measure, resolve
from xpshpc.spectra.settings import Instrument


@dataclass(frozen=True)
class NominalInstrument:
    """An instrument that leaves nothing to chance but the noise; the charging shift is to higher binding energy."""

    settings: Instrument
    analyser_fwhm_eV: float
    transmission_exponent: float
    detector_background: float
    background_scale: float
    charging_shift_eV: float
    peak_counts: float

    @property
    def shift_eV(self) -> float:
        """How far the axis stands below energies to the Fermi level of an uncharged sample."""
        return self.charging_shift_eV + self.settings.work_function_eV

    def resolve(self, electrons: NDArray[np.float64]) -> NDArray[np.float64]:
        """A spectrum that reached the analyser, (channels,), as its resolution leaves it."""
        resolved: NDArray[np.float64] = resolve(electrons[None, :], self._device(), self.settings)[0]
        return resolved

    def count(self, electrons: NDArray[np.float64], noise_seed: int | None = None) -> NDArray[np.float64]:
        """Counts, (channels,), of electrons that reach each channel, in any unit.

        They are counted as those of a data set are: transmission, dose, dark counts and, with a seed, noise.
        """
        device = self._device()
        counts = detect(electrons[None, :], device, self.settings)
        settings = self.settings.model_copy(update={"noise": noise_seed is not None, "counts": "float32"})
        spectra = measure(counts, device, settings, Streams(noise_seed or 0))
        measured: NDArray[np.float64] = np.asarray(spectra[0], dtype=np.float64)
        return measured

    def _device(self) -> SampleBatch:
        """A batch of one: what it is made of does not matter to its detection."""
        one = np.ones(1)
        return SampleBatch(
            index=np.zeros(1, dtype=np.int64),
            elements=np.zeros((1, 1), dtype=np.intp),
            fractions=np.ones((1, 1)),
            shifts=np.zeros((1, 1)),
            overlayer_A=np.zeros(1),
            overlayer_shifts=np.zeros((1, 0)),
            peak_counts=self.peak_counts * one,
            analyser_fwhm_eV=self.analyser_fwhm_eV * one,
            transmission_exponent=self.transmission_exponent * one,
            detector_background=self.detector_background * one,
            density_g_cm3=one,
            band_gap_eV=np.zeros(1),
            loss=np.zeros(1, dtype=np.intp),
            charging_shift_eV=self.charging_shift_eV * one,
            background_scale=self.background_scale * one,
        )


def nominal_instrument(settings: Instrument) -> NominalInstrument:
    """The middle of each range of an instrument's settings, and the highest dose."""
    return NominalInstrument(
        settings,
        _middle(settings.analyser_fwhm_eV),
        _middle(settings.transmission_exponent),
        _middle(settings.detector_background),
        _middle(settings.background_scale),
        _middle(settings.charging_shift_eV),
        settings.peak_counts[1],
    )


def _middle(bounds: tuple[float, float]) -> float:
    return 0.5 * (bounds[0] + bounds[1])
