"""NumPy's arrays in a pickle, put together from what the pickle says they hold, without NumPy's own unpickling.

A hostile file can make up a data type whose flags NumPy believes, and pass numbers off as pointers. So only names of
plain types are taken from it, and bytes or lists of values.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.inert_pickle import Sealed

_PLAIN_TYPE = re.compile("[<>=|]?[biufUSO][0-9]*")
"""Plain types as NumPy pickles them. What else it reads as a type's name is a language, with Python inside."""


class Token(metaclass=Sealed):
    """Something that is only named."""

    __slots__ = ()


class PlainType(metaclass=Sealed):
    """numpy.dtype: plain numbers, text, bytes or objects."""

    __slots__ = ("known",)

    def __init__(self, name: str, align: object = False, copy: object = False) -> None:
        self.known = _plain_type(text_of(name))

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order, inner = text_of(state[1]), state[2:5]
        if any(part is not None for part in inner):
            raise ValueError("an array of records")
        if self.known.kind in "US":
            self.known = _plain_type(f"{order}{self.known.kind}{state[5] // (4 if self.known.kind == 'U' else 1)}")
        elif order in ("<", ">"):
            self.known = self.known.newbyteorder(order)  # type: ignore[arg-type]


class PlainArray(metaclass=Sealed):
    """numpy.ndarray by _reconstruct, then its state: version, shape, type, column-wise, bytes or list."""

    __slots__ = ("values",)

    def __init__(self, kind: object = None, shape: object = (), letter: object = b"") -> None:
        self.values: NDArray[Any] = np.empty(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, column_wise, raw = state
        self.values = _built(raw, kind, shape, "F" if column_wise else "C")


class BufferArray(PlainArray):
    """numpy's _frombuffer: bytes, type, shape, order."""

    __slots__ = ()

    def __init__(self, raw: bytes, kind: PlainType, shape: tuple[int, ...], order: str) -> None:
        self.values = _built(raw, kind, shape, order)


class Scalar(metaclass=Sealed):
    """numpy scalars, as plain numbers or text."""

    __slots__ = ()

    def __new__(cls, kind: PlainType, raw: bytes | str = b"") -> Any:
        return _built(raw, kind, (1,), "C").tolist()[0]


class Latin1Bytes(metaclass=Sealed):
    """_codecs.encode of latin-1 text, and bytes(): how old protocols write bytes."""

    __slots__ = ()

    def __new__(cls, text: str = "", encoding: str = "latin1") -> Any:
        if encoding != "latin1":
            raise ValueError(f"bytes in {encoding}")
        return text.encode(encoding)


def _plain_type(name: str) -> np.dtype[Any]:
    if not _PLAIN_TYPE.fullmatch(name):
        raise ValueError("an array of something else than plain numbers, text or objects")
    return np.dtype(name)


def _built(raw: Any, kind: PlainType, shape: Any, order: str) -> NDArray[Any]:
    if not isinstance(kind, PlainType):
        raise TypeError("an array without a data type")
    sizes = tuple(int(size) for size in shape)
    if min(sizes, default=0) < 0:
        raise ValueError(f"an array of the shape {sizes}")
    if kind.known.kind == "O":
        if not isinstance(raw, list):
            raise TypeError("an array of objects without a list")
        flat = np.fromiter(raw, dtype=object, count=len(raw))
    else:
        content = raw.encode("latin1") if isinstance(raw, str) else raw
        flat = np.frombuffer(content, dtype=kind.known) if len(content) else np.empty(0, dtype=kind.known)
    return flat.reshape(sizes, order="F" if order == "F" else "C")


def values_of(array: Any) -> NDArray[Any]:
    """The array inside of what stands for one, or one of the things listed."""
    values = getattr(array, "values", array)
    return values if isinstance(values, np.ndarray) else np.asarray(values, dtype=object)


def text_of(name: object) -> str:
    """A name, which Python 2 wrote as bytes."""
    return name.decode("latin1") if isinstance(name, bytes) else str(name)
