"""SESSA as a program that is kept running: one process at a time, replaced when it fails or is worn."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import EnvironmentFault, UsageError
from xpshpc.source import SampleError
from xpshpc.spectra.sessa.console import Console, ConsoleTrouble
from xpshpc.spectra.sessa.dialogue import (
    SessaLayer,
    instrument_commands,
    output_command,
    sample_commands,
    shift_commands,
    spectrum_commands,
)
from xpshpc.spectra.sessa.options import SessaOptions
from xpshpc.spectra.sessa.output_files import read_peaks
from xpshpc.spectra.sessa.policy import Decision, Trouble, decide, is_worn
from xpshpc.spectra.sessa.spectrum_files import read_spc
from xpshpc.spectra.settings import Instrument, Physics

_PREFIX = "out_"

Beat = Callable[[str], None]


class SessaProgram:
    """Simulates samples one after the other. What SESSA writes is read and deleted before the next one."""

    def __init__(self, options: SessaOptions, instrument: Instrument, physics: Physics) -> None:
        """Raises UsageError for an instrument that SESSA cannot be told of. The program is looked for later."""
        self._options = options
        self._instrument = instrument
        self._setup = instrument_commands(instrument, physics)
        self._console: Console | None = None
        self._has_answered = False

    def spectrum(self, index: int, layers: tuple[SessaLayer, ...], beat: Beat) -> NDArray[np.float64]:
        """Intensities at the window's 2048 energies, (2048,), of a sample's layers from the surface down.

        `beat` is told what goes on, about once a second. Raises SampleError when the attempts at this sample are used
        up, and EnvironmentFault when the program has never worked here.
        """
        described = sample_commands(layers)
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._attempt(described, layers, partial(beat, f"SESSA: sample {index}, attempt {attempt}"))
            except ConsoleTrouble as trouble:
                failure = trouble
            except BaseException:
                self.close(politely=False)
                raise
            self.close(politely=False)
            options = self._options
            decision = decide(failure.trouble, attempt, options.attempts, has_answered=self._has_answered)
            if decision is Decision.REFUSE:
                raise SampleError(index, f"SESSA failed {attempt} times, at last: {failure}")
            if decision is Decision.STOP:
                raise EnvironmentFault(
                    f"SESSA has not answered a single command in {attempt} attempts, at last: {failure}",
                    where="generate.sessa.executable",
                    try_=f"by hand, then QUIT: {' '.join(self._options.command())}",
                )

    def _attempt(
        self, described: list[str], layers: tuple[SessaLayer, ...], beat: Callable[[], None]
    ) -> NDArray[np.float64]:
        deadline = time.monotonic() + self._options.timeout_s
        beat()
        console = self._ready(deadline, beat)
        prefix = console.scratch / _PREFIX
        try:
            for line in [*described, output_command(prefix)]:
                console.ask(line, deadline=deadline, beat=beat)
            with _files_are_whole():
                shifts = shift_commands(read_peaks(_file(prefix, "sam_peak.txt")), layers)
            for line in [*shifts, *spectrum_commands(prefix)]:
                console.ask(line, deadline=deadline, beat=beat)
            with _files_are_whole():
                intensity = read_spc(_file(prefix, "reg1.spc"), self._instrument.window_eV).intensity
        finally:
            for file in console.scratch.glob(f"{_PREFIX}*"):
                file.unlink(missing_ok=True)
        if not intensity.max() > 0.0 or intensity.min() < 0.0:
            raise ConsoleTrouble(Trouble.BAD_FILE, "the spectrum has no intensity, or a negative one")
        console.spectra += 1
        return intensity

    def _ready(self, deadline: float, beat: Callable[[], None]) -> Console:
        """A process that knows the instrument, a fresh one if need be."""
        if self._console is not None and is_worn(self._console.spectra, self._options.restart_every):
            self.close(politely=True)
        if self._console is None:
            scratch = Path(self._options.scratch).expanduser() if self._options.scratch else None
            if scratch is not None:
                scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._console = Console(
                self._options.command(),
                silence_s=self._options.silence_s,
                scratch=scratch,
                environment=dict(os.environ),
            )
            for line in self._setup:
                self._console.ask(line, deadline=deadline, beat=beat)
                self._has_answered = True
        return self._console

    def close(self, *, politely: bool = True) -> None:
        """Ends the process, if one runs; nothing of it is left."""
        if self._console is not None:
            console, self._console = self._console, None
            console.close(politely=politely)


@contextlib.contextmanager
def _files_are_whole() -> Iterator[None]:
    """Takes a fault in a file that SESSA wrote for what it is, a failed attempt."""
    try:
        yield
    except UsageError as fault:
        raise ConsoleTrouble(Trouble.BAD_FILE, f"{fault.where}: {fault.what}") from None


def _file(prefix: Path, name: str) -> Path:
    return prefix.with_name(prefix.name + name)
