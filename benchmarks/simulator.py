"""The simulator on one core against a plain loop: for each spectrum 40 Voigt profiles, then one convolution.

Ours and the plain loop take turns, and of each the quickest round counts: what else the machine does can only add to a
round's time. What single steps take is that of our quickest round, so that they add up to its whole.
"""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import numpy as np
from scipy.special import voigt_profile

from benchmarks.table import Row
from xpshpc.plan.seeds import Streams
from xpshpc.spectra import embedded
from xpshpc.spectra.detection import measurement
from xpshpc.spectra.detection.analyser import Analyser
from xpshpc.spectra.embedded import EmbeddedSource
from xpshpc.spectra.settings import SpectraSettings
from xpshpc.spectra.simulation.background import Background
from xpshpc.spectra.simulation.profile_bank import ProfileBank
from xpshpc.spectra.simulation.simulator import Simulator
from xpshpc.spectra.transport.loss_functions import tougaard_universal
from xpshpc.store.shard_file import ShardFormat, encode_shard

_LINES = 40
_SHARD = ShardFormat(8, 256, (SpectraSettings().instrument.channels,), np.dtype(np.uint16))
"""The spectra of one shard, as a job has them where it says nothing else."""

_ROUNDS = 10
_COMPRESSION = "zstd 1 with bitshuffle"
_STEPS: dict[str, tuple[Any, str]] = {
    "drawing samples": (EmbeddedSource, "draw"),
    "lines: energies and intensities": (Simulator, "emit"),
    "lines: profiles on the channels": (ProfileBank, "draw"),
    "inelastic background": (Background, "spread"),
    "resolution": (Analyser, "blur"),
    "detection: transmission and dose": (Analyser, "detect"),
    "detection limits": (embedded, "expected_limits"),
    "noise: normal deviates": (Streams, "normal"),
    "noise: Poisson counts": (measurement, "poisson_counts"),
}
"""What is timed, none of it inside another: owner and name of a function."""


def run(scale: float) -> list[Row]:
    """Rows of this benchmark; `scale` 1 is the full size."""
    began = time.perf_counter()
    source = EmbeddedSource(SpectraSettings(), seed=1)
    source.make(np.arange(1))
    start_up = time.perf_counter() - began
    samples = _SHARD.chunks * _SHARD.chunk_rows
    shards = [np.arange(start, start + samples) for start in range(0, max(samples, int(4096 * scale)), samples)]
    energy, plain_spectra = source.simulator.kinetic_energy_eV, max(16, int(64 * scale))
    whole, uncompressed, plain = np.inf, np.inf, np.inf
    steps: Counter[str] = Counter()
    _make_and_compress(source, shards)
    for _ in range(_ROUNDS):
        made, spent = _make_and_compress(source, shards)
        if made < whole:
            whole, steps = made, spent
        uncompressed = min(uncompressed, made - spent[_COMPRESSION])
        plain = min(plain, _plain_loop(energy, plain_spectra))
    binding = max(steps, key=lambda name: steps[name])
    return [
        Row("spectra a second, one core: noise, uint16, compressed", 1.0 / whole, "1/s", "≥ 10 000"),
        Row("the same, not compressed", 1.0 / uncompressed, "1/s"),
        Row("plain loop, spectra a second, one core", 1.0 / plain, "1/s"),
        Row("simulator, noise and compression against the plain loop", plain / whole, "×", "≥ 60"),
        *(Row(f"{name}, a spectrum", 1e6 * steps[name], "µs") for name in (*_STEPS, _COMPRESSION)),
        Row("all else (labels, uint16, copies), a spectrum", 1e6 * (whole - steps.total()), "µs"),
        Row(f"the step that binds is {binding}: its share", steps[binding] / whole, ""),
        Row("tables made before the first spectrum", start_up, "s", "< 1"),
        Row(
            "resident memory of this process at most",
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "MB",
            "< 1000",
        ),
    ]


def _make_and_compress(source: EmbeddedSource, shards: list[np.ndarray]) -> tuple[float, Counter[str]]:
    """Seconds for each spectrum in all, and in each of the steps."""
    spent: Counter[str] = Counter()
    spectra = sum(len(shard) for shard in shards)
    compress = _timed(encode_shard, spent, _COMPRESSION)
    with _watched(spent):
        began = time.perf_counter()
        for shard in shards:
            compress(source.make(shard)["spectrum"], _SHARD)
        whole = time.perf_counter() - began
    return whole / spectra, Counter({name: seconds / spectra for name, seconds in spent.items()})


@contextmanager
def _watched(spent: Counter[str]) -> Iterator[None]:
    """Adds what each of the steps takes to `spent`."""
    known = {name: getattr(owner, function) for name, (owner, function) in _STEPS.items()}
    for name, (owner, function) in _STEPS.items():
        setattr(owner, function, _timed(known[name], spent, name))
    try:
        yield
    finally:
        for name, (owner, function) in _STEPS.items():
            setattr(owner, function, known[name])


def _timed(step: Callable[..., Any], spent: Counter[str], name: str) -> Callable[..., Any]:
    """The same function, which adds the seconds that it takes to `spent`."""

    @wraps(step)
    def timed(*args: Any, **named: Any) -> Any:
        began = time.perf_counter()
        answer = step(*args, **named)
        spent[name] += time.perf_counter() - began
        return answer

    return timed


def _plain_loop(energy: np.ndarray, spectra: int) -> float:
    """Seconds for each spectrum of the obvious program: Voigt profiles, a loss function convolved with them, noise."""
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
    return (time.perf_counter() - began) / spectra
