"""What a command was given, checked: places in lists that count from 1, amounts, energies, paths."""

from __future__ import annotations

from pathlib import Path

from xpshpc.errors import UsageError
from xpshpc.spectra.sessa.grammar import Value
from xpshpc.spectra.sessa.language import Command

_HIGHEST_EV = 5000.0
"""Far above the photons of any source here; what lies beyond is a slip."""


def given(command: Command, name: str) -> Value:
    """A keyword's value; raises UsageError if it was not given."""
    if name not in command.keywords:
        raise UsageError(f"{command.words} wants {name}")
    return command.keywords[name]


def amount(command: Command, name: str) -> float:
    """A keyword's number."""
    return _number(given(command, name))


def positive(value: Value | None, name: str) -> float:
    """A number above zero."""
    number = _number(value)
    if not number > 0.0:
        raise UsageError(f"{name} of {number:g}: it must be positive")
    return number


def not_negative(value: Value | None, name: str) -> float:
    """A number that is zero or more."""
    number = _number(value)
    if not number >= 0.0:
        raise UsageError(f"{name} of {number:g}: it cannot be negative")
    return number


def energies(value: Value | None) -> tuple[float, float]:
    """Two kinetic energies, the lower one first."""
    if not isinstance(value, tuple) or not 0.0 <= value[0] < value[1] <= _HIGHEST_EV:
        raise UsageError(f"a range of {value}: write it as low:high, in eV, from 0 to {_HIGHEST_EV:g}")
    return value


def place(value: Value | None, what: str, count: int) -> int:
    """The index of thing number `value` among `count`."""
    if not isinstance(value, int) or not 1 <= value <= count:
        raise UsageError(f"no {what} {value}: there {'is' if count == 1 else 'are'} {count}")
    return value - 1


def places(command: Command, name: str, count: int) -> range:
    """The indices that a keyword chooses: the first without it, every one for 0."""
    number = command.keywords.get(name, 1)
    if number == 0:
        return range(count)
    index = place(number, name.lower(), count)
    return range(index, index + 1)


def path(value: Value | None, suffix: str = "") -> Path:
    """A file, with Windows' backslashes taken as folders."""
    return Path(str(value).replace("\\", "/") + suffix)


def writable(value: Value | None, suffix: str = "") -> Path:
    """A file to be written; the folder it lies in is made."""
    file = path(value, suffix)
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def _number(value: Value | None) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"{value!r} is no number")
    return float(value)
