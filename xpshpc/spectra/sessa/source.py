"""The source `sessa`: the samples of the embedded simulator, their spectra by the real program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.plan.seeds import Streams
from xpshpc.spectra.detection.measurement import detect, measure, resolve
from xpshpc.spectra.embedded import EmbeddedSource
from xpshpc.spectra.matter.batch import SampleBatch
from xpshpc.spectra.sessa.dialogue import layers_of_sample
from xpshpc.spectra.sessa.grammar import REGION_POINTS
from xpshpc.spectra.sessa.options import read_options
from xpshpc.spectra.sessa.program import Beat, SessaProgram
from xpshpc.spectra.settings import SpectraSettings


class SessaSource(EmbeddedSource):
    """Draws the samples that the embedded source of the same job and seed draws, and has SESSA simulate them.

    The analyser's resolution, transmission, dose, dark counts and noise are added as the embedded source adds them.
    What SESSA gives must be the same for the same commands if a sample is to be made again byte for byte.
    """

    piece_samples: int | None = 1

    def __init__(self, settings: SpectraSettings, options: Mapping[str, Any], seed: int) -> None:
        """Raises UsageError for options out of range, or settings that SESSA has not."""
        super().__init__(settings, seed)
        self._options = read_options(options)
        _check(settings)
        self._instrument = settings.instrument
        self._samples = settings.samples
        self._noise = Streams(seed)
        self._program = SessaProgram(self._options, settings.instrument, settings.physics)
        self._beat: Beat = _nobody_listens

    def check(self) -> None:
        """Raises UsageError for a program that is not there."""
        self._options.command()

    def attend(self, beat: Beat) -> None:
        """Who is told, from now on, that SESSA is at work and watched."""
        self._beat = beat

    def attributes(self) -> dict[str, Any]:
        return {**super().attributes(), "simulator": f"SESSA {self._options.version}"}

    def measure(self, batch: SampleBatch, expected: NDArray[np.floating] | None = None) -> NDArray[Any]:
        """Counts of these samples, (n, channels), in the type that is stored. Raises SampleError.

        What the embedded simulator `expected` of them is not used.
        """
        spectra = np.stack([self._spectrum(batch[row : row + 1]) for row in range(len(batch))])
        counts = detect(resolve(spectra, batch, self._instrument), batch, self._instrument)
        return measure(counts, batch, self._instrument, self._noise)

    def _spectrum(self, sample: SampleBatch) -> NDArray[np.float64]:
        layers = layers_of_sample(self._samples, sample, self._instrument.work_function_eV)
        return self._program.spectrum(int(sample.index[0]), layers, self._beat)

    def close(self) -> None:
        """Ends SESSA; the next sample starts it again."""
        self._program.close()


def _nobody_listens(_: str) -> None:
    pass


def _check(settings: SpectraSettings) -> None:
    instrument, samples = settings.instrument, settings.samples
    faults = {
        f"instrument.channels = {instrument.channels}: SESSA writes {REGION_POINTS} points": (
            instrument.channels != REGION_POINTS
        ),
        "instrument.background_scale: SESSA's background has no scale, only (1, 1)": (
            instrument.background_scale != (1.0, 1.0)
        ),
        'samples.recipe = "pure_sums": SESSA simulates whole samples': samples.recipe == "pure_sums",
    }
    wrong = [what for what, holds in faults.items() if holds]
    if wrong:
        raise UsageError("\n  ".join(wrong), where="spectra", try_="the source embedded, or other settings")
