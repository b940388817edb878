"""Tables that pandas pickled, read without pandas and without running anything that the file asks for.

Every name that such a pickle may use stands for a sealed class of this module, or of pickled_arrays (see inert_pickle).

Known layouts: the block manager's state tuple (pandas 0.14 to 1.2, whose modules moved several times), blocks and axes
as its arguments (1.3 to 2), and string columns beside them (3, without pyarrow); pickle protocols 2 to 5, Python 2's
with text as latin-1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.inert_pickle import DAMAGE, Sealed, UnknownName, read_inert
from xpshpc.wafers.readers.pickled_arrays import (
    BufferArray,
    Latin1Bytes,
    PlainArray,
    PlainType,
    Scalar,
    Token,
    text_of,
    values_of,
)


def read_frame(path: Path) -> dict[str, NDArray[Any]]:
    """The columns by name, each an array of (rows,); the cells of an `object` column may be arrays.

    Raises UsageError naming what the pickle asked for, or what is damaged.
    """
    try:
        with path.open("rb") as file:
            frame = read_inert(file, _stand_in)
        if not isinstance(frame, _Frame):
            raise UsageError("the pickle holds something else than a table", where=str(path))
        return frame.columns()
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except UnknownName as error:
        raise UsageError(
            f"the pickle asks for {error.name}, which no table of wafer maps needs; it was not run",
            where=str(path),
            try_="read it where it comes from and write it as packed maps (.npz), if you trust it",
        ) from None
    except DAMAGE as error:
        raise UsageError(f"not a pickled table as pandas writes it: {error}", where=str(path)) from None


class _Remade(metaclass=Sealed):
    """copyreg's _reconstructor: an empty object of one of these classes."""

    __slots__ = ()

    def __new__(cls, kind: Any, base: object = None, state: object = None) -> Any:
        if not isinstance(kind, Sealed):
            raise TypeError("copyreg makes something of an unknown class")
        made: Any = object.__new__(kind)  # type: ignore[arg-type]
        return made


class _Slice(metaclass=Sealed):
    """A slice; Python's own class is nobody's here."""

    __slots__ = ()

    def __new__(cls, *bounds: int | None) -> Any:
        return slice(*bounds)


class _Axis(metaclass=Sealed):
    """An index: names of columns, or numbers of rows."""

    __slots__ = ("names",)

    def __init__(self, kind: object = None, state: dict[str, Any] | None = None) -> None:
        self.names = [text_of(name) for name in values_of((state or {}).get("data", []))]


class _Strings(metaclass=Sealed):
    """A string column: its data type, then the array."""

    __slots__ = ("values",)

    def __init__(self, *ignored: object) -> None:
        self.values: NDArray[Any] = np.empty(0, dtype=object)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.values = next(part.values for part in state if isinstance(part, PlainArray))


class _Block(metaclass=Sealed):
    """Columns of one type, (columns, rows), and their places."""

    __slots__ = ("places", "values")

    def __init__(self, values: object, places: object, ndim: int = 2) -> None:
        self.values, self.places = values_of(values), places


class _Manager(metaclass=Sealed):
    """Blocks and axes: columns, then rows."""

    __slots__ = ("axes", "blocks")

    def __init__(self, blocks: tuple[_Block, ...] = (), axes: tuple[_Axis, ...] | list[_Axis] = ()) -> None:
        self.blocks, self.axes = tuple(blocks), list(axes)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        inner = state[3]["0.14.1"]
        self.axes = list(inner["axes"])
        self.blocks = tuple(_Block(block["values"], block["mgr_locs"]) for block in inner["blocks"])


class _Frame(metaclass=Sealed):
    """pandas.DataFrame."""

    __slots__ = ("manager",)

    def __setstate__(self, state: dict[str, Any]) -> None:
        manager = state["_mgr"] if "_mgr" in state else state["_data"]
        if not isinstance(manager, _Manager):
            raise TypeError("a table without blocks")
        self.manager = manager

    def columns(self) -> dict[str, NDArray[Any]]:
        names = self.manager.axes[0].names
        found: dict[str, NDArray[Any]] = {}
        for block in self.manager.blocks:
            places = block.places
            numbers = range(len(names))[places] if isinstance(places, slice) else [int(n) for n in values_of(places)]
            rows = block.values.reshape(len(numbers), -1)
            found.update((names[number], row) for number, row in zip(numbers, rows, strict=True))
        return found


_NUMPY: dict[str, Sealed] = {
    "multiarray._reconstruct": PlainArray,
    "multiarray.scalar": Scalar,
    "numeric._frombuffer": BufferArray,
}
_INDEX_MODULES = ("pandas.core.index", "pandas.indexes", "pandas.core.indexes", "pandas.tseries.index")
_KNOWN: dict[str, Sealed] = {
    **{f"numpy.{core}.{name}": kind for core in ("core", "_core") for name, kind in _NUMPY.items()},
    **{f"{module}.object": Token for module in ("builtins", "__builtin__")},
    **{f"{module}.bytes": Latin1Bytes for module in ("builtins", "__builtin__")},
    **{f"{module}.slice": _Slice for module in ("builtins", "__builtin__")},
    **{f"{module}._reconstructor": _Remade for module in ("copyreg", "copy_reg")},
    "_codecs.encode": Latin1Bytes,
    "numpy.dtype": PlainType,
    "numpy.ndarray": Token,
    "pandas.DataFrame": _Frame,
    "pandas.core.frame.DataFrame": _Frame,
    "pandas.core.internals.BlockManager": _Manager,
    "pandas.core.internals.managers.BlockManager": _Manager,
    "pandas._libs.internals._unpickle_block": _Block,
    "pandas._libs.arrays.__pyx_unpickle_NDArrayBacked": _Strings,
    "pandas.StringDtype": _Strings,
    "pandas.core.arrays.string_.StringDtype": _Strings,
    "pandas.arrays.StringArray": Token,
    "pandas.core.arrays.string_.StringArray": Token,
}


def _stand_in(name: str) -> Sealed | None:
    """The class for a name; indices went by many names, in modules of many."""
    module, _, last = name.rpartition(".")
    if name in _KNOWN or not (module == "pandas" or module.startswith(_INDEX_MODULES)):
        return _KNOWN.get(name)
    if last == "_new_Index":
        return _Axis
    return Token if last.endswith("Index") else None
