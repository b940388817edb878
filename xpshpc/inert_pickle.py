"""Pickled data read without running anything that a file asks for.

A pickle is a program: it names things, calls them, and changes them. Here every name stands for a class of the reader's
own, which only keeps what it is given, and a name that is in no reader's table ends the reading. Classes are sealed, so
that a file cannot change what later ones are read by; what they make has to hold its own against a state that a file
sets on it.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, BinaryIO, NoReturn

DAMAGE = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What is raised where data that are torn, or made up, are put together."""


class NotPlain(ValueError):
    """The stream is no pickle, or asks for more than plain data."""


class UnknownName(NotPlain):
    """A pickle asks for something that stands in no table of its reader's: `name`, with its module."""

    def __init__(self, name: str) -> None:
        super().__init__(f"it asks for {name}")
        self.name = name


class Sealed(type):
    """Classes that a pickle can make things of, but cannot change."""

    def __setattr__(cls, name: str, value: object) -> NoReturn:
        raise TypeError(f"{cls.__name__} cannot be changed")


Names = Callable[[str], Sealed | None]
"""The class that stands for a name with its module, "numpy.dtype"; None for a name that is not known."""

Persistent = Callable[[Any], Any]
"""What a persistent identifier stands for."""


def read_inert(stream: BinaryIO, names: Names, persistent: Persistent | None = None) -> Any:
    """The value of the pickle that begins at the stream's position; the stream is left behind it.

    Protocols 0 to 5; Python 2's text is latin-1. How much memory a file asks for is not bounded. Raises NotPlain for a
    pickle that is torn or asks for anything else, persistent things without `persistent` among them, and OSError.
    """
    try:
        return _Reader(stream, names, persistent).load()
    except NotPlain:
        raise
    except DAMAGE as error:
        raise NotPlain(f"a torn or foreign pickle: {error or type(error).__name__}") from None


class _Reader(pickle.Unpickler):
    def __init__(self, stream: BinaryIO, names: Names, persistent: Persistent | None) -> None:
        super().__init__(stream, encoding="latin1")
        self._names = names
        self._persistent = persistent

    def find_class(self, module: str, name: str) -> Sealed:
        dotted = f"{module}.{name}"
        known = self._names(dotted)
        if not isinstance(known, Sealed):
            raise UnknownName(dotted)
        return known

    def persistent_load(self, pid: object) -> Any:
        if self._persistent is None:
            raise NotPlain("it asks for things outside of it")
        return self._persistent(pid)
