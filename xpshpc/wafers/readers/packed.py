"""Packed wafer maps: an .npz that holds maps of any sizes at two bits a die."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.wafers.maps import FAIL, SPLITS, Map, MapSet

_NEEDED = ("packed", "shapes", "label", "classes")
_VALIDATION, _TEST = 100, 200
_HOW_TO_WRITE = "xpshpc.wafers.readers.packed.write_packed(path, maps)"


def read_packed(path: Path) -> MapSet:
    """The maps of an .npz with these arrays; others may lie beside them.

    `packed` uint8: two bits a die, the low ones first, row by row, one map after another without a gap. `shapes`
    (n, 2): rows and columns. `label` (n,): places in `classes`, an array of names. `split` (n,), where there is one:
    below 100 train, 100 validation, 200 test; otherwise all is train. The maps are views of one array of dies. Nothing
    is unpickled. Raises UsageError.
    """
    where = str(path)
    arrays = _arrays(path)
    missing = [name for name in _NEEDED if name not in arrays]
    if missing:
        raise UsageError(f"no array {', '.join(missing)}", where=where, try_=_HOW_TO_WRITE)
    classes = tuple(str(name) for name in arrays["classes"].ravel())
    shapes = _whole(arrays["shapes"], "shapes", where)
    if shapes.ndim != 2 or shapes.shape[1] != 2 or (shapes < 1).any():
        raise UsageError("`shapes` has to be (n, 2), rows and columns from 1", where=where, try_=_HOW_TO_WRITE)
    count = len(shapes)
    label = _one_each(arrays["label"], "label", count, where)
    if len(set(classes)) < len(classes) or not 1 <= len(classes) <= 255:
        raise UsageError("`classes` takes 1 to 255 names, each once", where=where)
    if count and not 0 <= label.min() <= label.max() < len(classes):
        raise UsageError(
            f"`label` holds {label.min()} to {label.max()}, but there are {len(classes)} classes", where=where
        )
    split = _one_each(arrays["split"], "split", count, where) if "split" in arrays else np.zeros(count, dtype=np.int64)
    return MapSet(
        _maps(arrays["packed"], shapes, where),
        label.astype(np.uint8),
        _splits(split, where),
        np.arange(count, dtype=np.int64),
        classes,
    )


def write_packed(path: Path, maps: MapSet) -> None:
    """Writes the maps as `read_packed` reads them; `index` is lost."""
    dies = np.concatenate([np.zeros(0, dtype=np.uint8), *(map.ravel() for map in maps.maps)])
    four = np.pad(dies, (0, -len(dies) % 4)).reshape(-1, 4)
    np.savez_compressed(
        path,
        packed=np.bitwise_or.reduce(four << np.array([0, 2, 4, 6], dtype=np.uint8), axis=1),
        shapes=np.array([map.shape for map in maps.maps], dtype=np.uint16).reshape(-1, 2),
        label=maps.label,
        split=np.array([1, _VALIDATION, _TEST], dtype=np.uint8)[maps.split],
        classes=np.array(maps.classes),
    )


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    if not zipfile.is_zipfile(path):
        raise UsageError("not an .npz archive", where=str(path), try_=_HOW_TO_WRITE)
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in (*_NEEDED, "split") if name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise UsageError(f"cannot be read as an .npz archive: {error}", where=str(path), try_=_HOW_TO_WRITE) from None


def _whole(array: NDArray[Any], name: str, where: str) -> NDArray[np.int64]:
    if array.dtype.kind not in "iu":
        raise UsageError(f"`{name}` is of {array.dtype}, not whole numbers", where=where, try_=_HOW_TO_WRITE)
    return array.astype(np.int64)


def _one_each(array: NDArray[Any], name: str, count: int, where: str) -> NDArray[np.int64]:
    if array.shape != (count,):
        raise UsageError(f"`{name}` has the shape {array.shape}, but there are {count} maps", where=where)
    return _whole(array, name, where)


def _splits(codes: NDArray[np.int64], where: str) -> NDArray[np.uint8]:
    unknown = codes[(codes < 0) | ((codes >= _VALIDATION) & (codes != _VALIDATION) & (codes != _TEST))]
    if len(unknown):
        raise UsageError(
            f"`split` holds {unknown[0]}",
            where=where,
            try_=f"below {_VALIDATION} for train, {_VALIDATION} for validation, {_TEST} for test",
        )
    split = np.full(len(codes), SPLITS.index("train"), dtype=np.uint8)
    split[codes == _VALIDATION] = SPLITS.index("validation")
    split[codes == _TEST] = SPLITS.index("test")
    return split


def _maps(packed: NDArray[Any], shapes: NDArray[np.int64], where: str) -> list[Map]:
    ends = np.cumsum(shapes.prod(axis=1))
    count = int(ends[-1]) if len(ends) else 0
    if packed.dtype != np.uint8 or packed.shape != (-(-count // 4),):
        raise UsageError(
            f"`packed` is {packed.dtype} {packed.shape}, but {count} dies take uint8 ({-(-count // 4)},)", where=where
        )
    dies = np.empty((len(packed), 4), dtype=np.uint8)
    for place in range(4):
        dies[:, place] = (packed >> (2 * place)) & 3
    flat = dies.reshape(-1)[:count]
    if count and flat.max() > FAIL:
        wrong = int(np.argmax(flat > FAIL))
        raise UsageError(f"map {int(np.searchsorted(ends, wrong, side='right'))} holds a die of value 3", where=where)
    flat.flags.writeable = False
    return [
        flat[end - rows * columns : end].reshape(rows, columns)
        for end, (rows, columns) in zip(ends.tolist(), shapes.tolist(), strict=True)
    ]
