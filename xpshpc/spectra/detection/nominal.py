"""One instrument out of the many that a job allows: the middle of each range, and the highest dose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpshpc.plan.seeds import Streams
from xpshpc.spectra.detection.measurement import detect, measure, resolve
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
        resolved: NDArray[np.float64] = resolve(electrons[None, :], self._measurement(), self.settings)[0]
        return resolved

    def count(self, electrons: NDArray[np.float64], noise_seed: int | None = None) -> NDArray[np.float64]:
        """Counts, (channels,), of electrons that reach each channel, in any unit.

        They are counted as those of a data set are: transmission, dose, dark counts and, with a seed, noise.
        """
        measurement = self._measurement()
        counts = detect(electrons[None, :], measurement, self.settings)
        settings = self.settings.model_copy(update={"noise": noise_seed is not None, "counts": "float32"})
        spectra = measure(counts, measurement, settings, Streams(noise_seed or 0))
        measured: NDArray[np.float64] = np.asarray(spectra[0], dtype=np.float64)
        return measured

    def _measurement(self) -> _OneMeasurement:
        return _OneMeasurement(
            index=np.zeros(1, dtype=np.int64),
            analyser_fwhm_eV=np.array([self.analyser_fwhm_eV]),
            transmission_exponent=np.array([self.transmission_exponent]),
            detector_background=np.array([self.detector_background]),
            peak_counts=np.array([self.peak_counts]),
        )


@dataclass(frozen=True)
class _OneMeasurement:
    """What `Measurements` asks for, arrays of one."""

    index: NDArray[np.int64]
    analyser_fwhm_eV: NDArray[np.float64]
    transmission_exponent: NDArray[np.float64]
    detector_background: NDArray[np.float64]
    peak_counts: NDArray[np.float64]


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
