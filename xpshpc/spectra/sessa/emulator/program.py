"""The program `xpshpc-sessa`: a console on standard input and output, or a session file played from its beginning."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from xpshpc.errors import ExitCode, UsageError, XpshpcError
from xpshpc.spectra.sessa.emulator import model_commands, sample_commands, setup_commands
from xpshpc.spectra.sessa.emulator.arguments import path
from xpshpc.spectra.sessa.emulator.faults import VARIABLE, Fault, Faults, Spoiler, strike
from xpshpc.spectra.sessa.emulator.project import Project
from xpshpc.spectra.sessa.language import Command, Menu, NotUnderstood, understand

_HANDLERS = setup_commands.HANDLERS | sample_commands.HANDLERS | model_commands.HANDLERS
_DEEPEST_SESSION = 16
_SIGN_OF_LIFE_S = 0.25


class Console:
    """One session: understands lines, carries them out, and answers each command with `Done` or `*** Error`."""

    def __init__(self, out: TextIO, faults: Faults | None = None) -> None:
        self.errors = 0
        self._out = out
        self._faults = faults
        self._project = Project()
        self._menu = Menu()
        self._spoiler = Spoiler()
        self._folders: list[Path] = []

    def play(self, lines: Iterable[str]) -> bool:
        """Carries out lines until they end or one says QUIT (then false). What fails is told, and the rest goes on."""
        for line in lines:
            try:
                understood = understand(line, self._menu)
            except NotUnderstood as error:
                self._fail(str(error))
                continue
            if isinstance(understood, Menu):
                self._menu = understood
                self._say("Done")
            elif understood is not None and not self._carry_out(understood):
                return False
        return True

    def play_file(self, file: Path) -> bool:
        """Plays a session file, as `play` does. Raises UsageError if there is none, or sessions load one another."""
        if len(self._folders) >= _DEEPEST_SESSION:
            raise UsageError(f"sessions are loaded {_DEEPEST_SESSION} deep; does one load itself?", where=str(file))
        try:
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            raise UsageError(f"the session cannot be read: {error.strerror}", where=str(file)) from None
        self._folders.append(file.parent)
        try:
            return self.play(lines)
        finally:
            self._folders.pop()

    def _carry_out(self, command: Command) -> bool:
        if command.words == "QUIT":
            return False
        went_on = True
        try:
            for fault in self._faults.at_command() if self._faults else ():
                self._strike(fault)
            if command.words == "PROJECT LOAD SESSION":
                went_on = self._load(path(command.value))
            elif command.words == "MODEL SIMULATE":
                self._simulate(command)
            else:
                with self._sign_of_life():
                    said = list(_HANDLERS[command.words](self._project, command))
                for text in said:
                    self._say(text)
                if command.words == "MODEL SAVE SPECTRA" and self._spoiler.behaviour:
                    self._spoiler.spoil(path(command.value, "reg1.spc"))
        except XpshpcError as error:
            what = error.what.partition("\n")[0]
            self._fail(f"{error.where}: {what}" if error.where else what)
        except OSError as error:
            self._fail(str(error))
        else:
            self._say("Done")
        return went_on

    def _simulate(self, command: Command) -> None:
        for fault in self._faults.at_simulation(self._project.fingerprint()) if self._faults else ():
            self._strike(fault)
        self._say("simulating")
        with self._sign_of_life():
            said = list(_HANDLERS[command.words](self._project, command))
        for text in said:
            self._say(text)

    def _strike(self, fault: Fault) -> None:
        error = strike(fault, self._spoiler)
        if error is not None:
            raise UsageError(error)

    def _load(self, file: Path) -> bool:
        """Plays another session: one beside the session that names it, otherwise one of the current folder."""
        beside = self._folders[-1] / file if self._folders else file
        return self.play_file(beside if beside.is_file() else file)

    @contextmanager
    def _sign_of_life(self) -> Iterator[None]:
        """Says now and then that something is being done, for whoever takes silence for death."""
        over = threading.Event()

        def speak() -> None:
            while not over.wait(_SIGN_OF_LIFE_S):
                self._say("working")

        voice = threading.Thread(target=speak, daemon=True)
        voice.start()
        try:
            yield
        finally:
            over.set()
            voice.join()

    def _say(self, text: str) -> None:
        self._out.write(f"{text}\n")
        self._out.flush()

    def _fail(self, why: str) -> None:
        self.errors += 1
        self._say(f"*** Error: {why}")


def main() -> None:
    """Entry point of the program."""
    parser = argparse.ArgumentParser(
        prog="xpshpc-sessa",
        description="Speaks the console language of NIST's SESSA and writes the same files, by the embedded simulator.",
    )
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("-c", action="store_true", help="commands from standard input, until QUIT")
    mode.add_argument("-s", metavar="FILE", type=Path, help="play a session file; exit code 1 if a command failed")
    parser.add_argument("--faults", metavar="FILE", type=Path, help=f"a script of faults (or {VARIABLE})")
    arguments = parser.parse_args()
    try:
        script = arguments.faults or os.environ.get(VARIABLE)
        console = Console(sys.stdout, Faults(Path(script)) if script else None)
        if arguments.s is None:
            console.play(iter(sys.stdin.readline, ""))
            sys.exit(0)
        console.play_file(arguments.s)
        sys.exit(1 if console.errors else 0)
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(int(ExitCode.USAGE))
    except BrokenPipeError:
        sys.exit(int(ExitCode.DONE))
