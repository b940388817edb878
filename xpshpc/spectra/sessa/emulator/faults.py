"""A script of faults for the emulator: what goes wrong at which simulation, which attempt, or which command.

    [[fault]]
    simulation = 3          # the third sample that any process of this script is asked to simulate
    attempt = 1             # the first time that it is asked for; 0: every time
    behaviour = "silent"

The ledger beside the script counts for all processes together, so that a fault strikes as often as it says, however
often the emulator is started.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from xpshpc.config import Section
from xpshpc.errors import UsageError

VARIABLE = "XPSHPC_SESSA_FAULTS"
"""Environment variable that names the script."""

_FOR_EVER_S = 3600.0
_CHATTER_S = 0.05

Behaviour = Literal["slow", "silent", "chatty", "crash", "deaf", "fork", "error", "nan", "half"]


class Fault(Section):
    """One fault. slow: speaks every `seconds`, `times` times, and goes on; silent: never speaks again; chatty: speaks
    for ever; crash: ends with `code`, or by the signal `by`; deaf: silent, and SIGTERM does not end it; fork: leaves a
    child that stays, and goes on; error: says so; nan, half: spoils the next spectrum it saves."""

    behaviour: Behaviour
    simulation: int | None = Field(None, gt=0)
    command: int | None = Field(None, gt=0, description="the n-th command of all processes")
    attempt: int = Field(1, ge=0)
    seconds: float = Field(0.1, gt=0)
    times: int = Field(1, gt=0)
    code: int = Field(1, ge=0, le=255)
    by: str | None = None

    @model_validator(mode="after")
    def _strikes_once(self) -> Fault:
        if (self.simulation is None) == (self.command is None):
            raise ValueError("a fault strikes at a simulation or at a command")
        if self.by is not None and self.by not in signal.Signals.__members__:
            raise ValueError(f"unknown signal {self.by!r}")
        return self


class _Script(Section):
    fault: tuple[Fault, ...]


class Faults:
    """The faults of a script, and its ledger."""

    def __init__(self, script: Path) -> None:
        """Reads a script, TOML or JSON; raises UsageError."""
        try:
            text = script.read_text(encoding="utf-8")
            tables = json.loads(text) if script.suffix == ".json" else tomllib.loads(text)
            self._faults = _Script.model_validate(tables).fault
        except (OSError, ValueError, ValidationError) as error:
            raise UsageError(f"not a script of faults: {error}", where=str(script)) from None
        self._ledger = script.with_name(script.name + ".ledger")

    def at_command(self) -> tuple[Fault, ...]:
        """The faults of the command that begins now."""
        number = _enter(self._ledger, "command")[1]
        return tuple(fault for fault in self._faults if fault.command == number)

    def at_simulation(self, fingerprint: str) -> tuple[Fault, ...]:
        """The faults of the simulation that begins now; equal fingerprints are attempts at one sample."""
        number, attempt = _enter(self._ledger, fingerprint)
        return tuple(fault for fault in self._faults if fault.simulation == number and fault.attempt in (0, attempt))


def _enter(ledger: Path, name: str) -> tuple[int, int]:
    """Writes a name down: its number among the names of simulations so far, and how often it stands there now."""
    with ledger.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        names = [*file.read().split(), name]
        file.write(f"{name}\n")
    simulations = list(dict.fromkeys(entry for entry in names if entry != "command"))
    number = simulations.index(name) + 1 if name in simulations else 0
    return number, names.count(name)


@dataclass
class Spoiler:
    """What is still to be done to the next spectrum that is saved."""

    behaviour: Literal["nan", "half"] | None = None

    def spoil(self, file: Path) -> None:
        """Does it, once."""
        text = file.read_text(encoding="utf-8")
        if self.behaviour == "half":
            file.write_text(text[: len(text) // 2], encoding="utf-8")
        elif self.behaviour == "nan":
            *lines, _ = text.splitlines()
            lines.append(f"{lines[-1].split()[0]} nan")
            file.write_text("\n".join([*lines, ""]), encoding="utf-8")
        self.behaviour = None


def strike(fault: Fault, spoiler: Spoiler) -> str | None:
    """Carries out a fault; returns the text of an error that the command ends with, if it is one."""
    match fault.behaviour:
        case "slow":
            for _ in range(fault.times):
                time.sleep(fault.seconds)
                _speak("still at work")
        case "silent":
            time.sleep(_FOR_EVER_S)
        case "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(_FOR_EVER_S)
        case "chatty":
            while True:
                _speak("still at work")
                time.sleep(_CHATTER_S)
        case "crash":
            if fault.by is not None:
                os.kill(os.getpid(), signal.Signals[fault.by])
            os._exit(fault.code)
        case "fork":
            _leave_a_child()
        case "error":
            return "a fault of the script"
        case "nan" | "half":
            spoiler.behaviour = fault.behaviour
    return None


def _leave_a_child() -> None:
    """A child in a session of its own, which no signal to this one's group reaches, and deaf to SIGTERM."""
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(_FOR_EVER_S)
        os._exit(0)


def _speak(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
