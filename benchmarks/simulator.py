"""The simulator on one core against a plain loop: for each spectrum 40 Voigt profiles, then one convolution."""

from __future__ import annotations

import resource
import time

import numpy as np
from scipy.special import voigt_profile

from benchmarks.table import Row
from xpshpc.spectra.embedded import EmbeddedSource
from xpshpc.spectra.loss import tougaard_universal
from xpshpc.spectra.settings import SpectraSettings

_LINES = 40


def run(scale: float) -> list[Row]:
    """Rows of this benchmark; `scale` 1 is the full size."""
    began = time.perf_counter()
    source = EmbeddedSource(SpectraSettings(), seed=1)
    source.make(np.arange(1))
    start_up = time.perf_counter() - began
    spectra = max(512, int(4096 * scale))
    began = time.perf_counter()
    source.make(np.arange(spectra))
    ours = spectra / (time.perf_counter() - began)
    batch = source.draw(np.arange(spectra))
    began = time.perf_counter()
    source.simulator.expected_counts(batch)
    without_noise = spectra / (time.perf_counter() - began)
    plain = _plain_loop(source.simulator.kinetic_energy_eV, max(32, int(256 * scale)))
    return [
        Row("simulated spectra a second, one core, with noise", ours, "1/s"),
        Row("share of the time that noise takes", 1.0 - ours / without_noise, ""),
        Row("plain loop, spectra a second, one core", plain, "1/s"),
        Row("simulator against the plain loop", ours / plain, "×"),
        Row("tables made before the first spectrum", start_up, "s"),
        Row("resident memory of this process at most", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MB"),
    ]


def _plain_loop(energy: np.ndarray, spectra: int) -> float:
    """Spectra a second of the obvious program: a sum of Voigt profiles, the loss function convolved with it, noise."""
    random = np.random.default_rng(1)
    loss = tougaard_universal(len(energy), energy[1] - energy[0])[::-1]
    began = time.perf_counter()
    for _ in range(spectra):
        spectrum = np.zeros(len(energy))
        for _ in range(_LINES):
            centre, height = random.uniform(energy[0], energy[-1]), random.uniform()
            spectrum += height * voigt_profile(energy - centre, 0.5, 0.3)
        spectrum += np.convolve(spectrum, loss)[-len(energy) :]
        random.poisson(spectrum * (1e4 / spectrum.max()))
    return spectra / (time.perf_counter() - began)
