"""The simulator on one core against a plain loop: for each spectrum 40 Voigt profiles, then one convolution."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

import numpy as np
from scipy.special import voigt_profile

from benchmarks.table import Row
from xpshpc.plan.seeds import Streams
from xpshpc.spectra.batch import Purpose
from xpshpc.spectra.detectability import expected_limits
from xpshpc.spectra.embedded import EmbeddedSource
from xpshpc.spectra.loss_functions import tougaard_universal
from xpshpc.spectra.noise import poisson_counts
from xpshpc.spectra.settings import SpectraSettings
from xpshpc.store.shard_file import ShardFormat, encode_shard

_LINES = 40
_PIECE = 512


def run(scale: float) -> list[Row]:
    """Rows of this benchmark; `scale` 1 is the full size. The best of five rounds each."""
    began = time.perf_counter()
    source = EmbeddedSource(SpectraSettings(), seed=1)
    source.make(np.arange(1))
    start_up = time.perf_counter() - began
    spectra = max(1024, int(2048 * scale))
    pieces = [np.arange(start, start + _PIECE) for start in range(0, spectra, _PIECE)]
    batches = [source.draw(piece) for piece in pieces]
    expectations = [source.simulator.expected(batch) for batch in batches]
    stored = [source.measure(batch, one.counts) for batch, one in zip(batches, expectations, strict=True)]
    deviates = Streams(1).normal(pieces[0], Purpose.NOISE, stored[0].shape[1])
    counts = expectations[0].counts
    form = ShardFormat(1, _PIECE, stored[0].shape[1:], stored[0].dtype)

    def make_and_compress() -> None:
        for piece in pieces:
            encode_shard(source.make(piece)["spectrum"], form)

    def for_each(step: Callable[[int], object]) -> Callable[[], None]:
        def steps() -> None:
            for place in range(len(pieces)):
                step(place)

        return steps

    rate, plain = 0.0, 0.0
    for _ in range(5):
        rate = max(rate, spectra / _seconds(make_and_compress, 1))
        plain = max(plain, _plain_loop(source.simulator.kinetic_energy_eV, max(16, int(64 * scale))))
    steps = {
        "drawing samples": for_each(lambda place: source.draw(pieces[place])),
        "expected spectra": for_each(lambda place: source.simulator.expected(batches[place])),
        "detection limits": for_each(
            lambda place: expected_limits(source.simulator, batches[place], expectations[place])
        ),
        "normal deviates": for_each(lambda place: Streams(1).normal(pieces[place], Purpose.NOISE, counts.shape[1])),
        "Poisson counts": for_each(lambda _: poisson_counts(counts, deviates)),
        "zstd 1 with bitshuffle": for_each(lambda place: encode_shard(stored[place], form)),
    }
    microseconds = {name: 1e6 * _seconds(step, 5) / spectra for name, step in steps.items()}
    whole = 1e6 * _seconds(make_and_compress, 5) / spectra
    compression = microseconds["zstd 1 with bitshuffle"]
    binding = max(microseconds, key=lambda name: microseconds[name])
    return [
        Row("spectra a second, one core: noise, uint16, compressed", rate, "1/s", "≥ 10 000"),
        Row("the same, not compressed", 1e6 / (whole - compression), "1/s"),
        Row("plain loop, spectra a second, one core", plain, "1/s"),
        Row("simulator, noise and compression against the plain loop", rate / plain, "×", "≥ 60"),
        *(Row(f"{name}, a spectrum", value, "µs") for name, value in microseconds.items()),
        Row("all else (labels, uint16, concatenation), a spectrum", whole - sum(microseconds.values()), "µs"),
        Row(f"the step that binds is {binding}: its share", microseconds[binding] / whole, ""),
        Row("tables made before the first spectrum", start_up, "s", "< 1"),
        Row(
            "resident memory of this process at most",
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "MB",
            "< 1000",
        ),
    ]


def _seconds(step: Callable[[], None], rounds: int) -> float:
    """The shortest time of some rounds."""
    best = np.inf
    for _ in range(rounds):
        began = time.perf_counter()
        step()
        best = min(best, time.perf_counter() - began)
    return float(best)


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
