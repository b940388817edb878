"""PyTorch's checkpoints of arrays, read without PyTorch and without running what they hold.

The format is the one of `torch.save` before version 1.6: a magic number, a protocol number, facts on the machine, the
state dictionary, the keys of its storages, each a pickle; then each storage as its length and its bytes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Set
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.inert_pickle import NotPlain, Sealed, read_inert

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001


class _Storage(NamedTuple):
    """What is said of a storage. Nothing that a file sets on a named tuple changes it: what was checked stays so."""

    key: str
    dtype: str
    length: int


class _View(NamedTuple):
    """An array as a view of a storage, in elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_checkpoint(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a state dictionary by name. Raises UsageError for a file that is not one, or is torn."""
    try:
        with path.open("rb") as file:
            views = _read_views(file)
            storages = _read_storages(file, {view.storage for view in views.values()})
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except NotPlain as error:
        raise UsageError(
            f"not a checkpoint of arrays: {error}", where=str(path), try_="pip install --force-reinstall its package"
        ) from None
    return {name: _array(view, storages[view.storage.key]) for name, view in views.items()}


def _read_views(file: BinaryIO) -> dict[str, _View]:
    if _plain(file) != MAGIC or _plain(file) != PROTOCOL:
        raise NotPlain("its first numbers are not PyTorch's")
    machine = _plain(file)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise NotPlain("it was written on a big-endian machine")
    state = read_inert(file, _KNOWN.get, _storage)
    if not isinstance(state, dict) or not all(isinstance(view, _View) for view in state.values()):
        raise NotPlain("it holds more than arrays by name")
    return state


def _read_storages(file: BinaryIO, told: Set[_Storage]) -> dict[str, NDArray[Any]]:
    keys, wanted = _plain(file), {storage.key: storage for storage in told}
    # A storage that is told of twice could be short where it is read and long where a view was checked.
    if len(wanted) < len(told) or not isinstance(keys, list) or {*wanted} != {*map(str, keys)}:
        raise NotPlain("its storages are not those of its arrays")
    whole = os.fstat(file.fileno()).st_size
    found = {}
    for storage in (wanted[str(key)] for key in keys):
        if int.from_bytes(file.read(8), "little") != storage.length:
            raise NotPlain(f"the storage {storage.key} is not as long as its arrays say")
        bytes_ = storage.length * np.dtype(storage.dtype).itemsize
        if file.tell() + bytes_ > whole:
            raise NotPlain("the file ends too early")
        found[storage.key] = np.frombuffer(file.read(bytes_), storage.dtype)
    return found


def _array(view: _View, storage: NDArray[Any]) -> NDArray[Any]:
    itemsize = storage.dtype.itemsize
    strides = tuple(stride * itemsize for stride in view.strides)
    return np.lib.stride_tricks.as_strided(storage[view.offset :], view.shape, strides, writeable=False).copy()


def _plain(file: BinaryIO) -> Any:
    return read_inert(file, lambda name: None)


def _storage(identifier: Any) -> _Storage:
    what, kind, key, _place, length, whole = identifier
    if what != "storage" or kind not in _DTYPES or whole is not None or not _counts(length):
        raise NotPlain("a storage of an unknown kind")
    return _Storage(str(key), _DTYPES[kind], length)


def _counts(*numbers: object) -> bool:
    """Whether these are whole numbers from 0 on."""
    return all(type(number) is int and number >= 0 for number in numbers)


class _Rebuilt(metaclass=Sealed):
    """torch's _rebuild_tensor_v2: a view that stays within its storage, so that nothing outside it can be read."""

    __slots__ = ()

    def __new__(cls, storage: Any, offset: Any, shape: Any, strides: Any, *_gradient: object) -> Any:
        if not isinstance(storage, _Storage) or len(shape) != len(strides) or not _counts(offset, *shape, *strides):
            raise NotPlain("an array of an unknown kind")
        last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        if max(last + 1, math.prod(shape)) > storage.length:
            raise NotPlain("an array reaches beyond its storage")
        return _View(storage, offset, tuple(shape), tuple(strides))


class _State(dict[str, Any], metaclass=Sealed):
    """An OrderedDict; what else a state dictionary keeps of its modules is dropped."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        pass


_DTYPES = {
    Sealed(name, (), {"__slots__": ()}): dtype
    for name, dtype in {
        "FloatStorage": "<f4",
        "DoubleStorage": "<f8",
        "LongStorage": "<i8",
        "IntStorage": "<i4",
    }.items()
}
_KNOWN: dict[str, Sealed] = {
    "collections.OrderedDict": _State,
    "torch._utils._rebuild_tensor_v2": _Rebuilt,
    **{f"torch.{kind.__name__}": kind for kind in _DTYPES},
}
