"""The public LSWMD.pkl: 811 457 wafer maps, of which 172 950 are labelled (10.1109/TSM.2014.2364237)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.wafers.maps import CLASSES, FAIL, SPLITS, Map, MapSet, SplitName
from xpshpc.wafers.readers.frame_pickle import read_frame

_MAP, _SPLIT, _LABEL = "waferMap", "trianTestLabel", "failureType"
"""Columns of the file; the second one is spelt so."""

_SPLITS: dict[str, SplitName] = {"training": "train", "test": "test"}
_CLASSES = {name.lower(): place for place, name in enumerate(CLASSES)}


def read_lswmd(path: Path) -> MapSet:
    """The labelled maps of a pickled table with the columns waferMap, trianTestLabel and failureType.

    A cell of the two label columns is a name, or an array around one such as [['Donut']]; maps whose label is empty are
    left out. The table is read without pandas and nothing in it is run (see frame_pickle). Raises UsageError.
    """
    where = str(path)
    columns = read_frame(path)
    missing = [name for name in (_MAP, _SPLIT, _LABEL) if name not in columns]
    if missing:
        found = ", ".join(columns) or "nothing"
        raise UsageError(f"no column {', '.join(missing)} in the table (it has {found})", where=where)
    maps: list[Map] = []
    label: list[int] = []
    split: list[int] = []
    index: list[int] = []
    for row, (map, named, part) in enumerate(zip(columns[_MAP], columns[_LABEL], columns[_SPLIT], strict=True)):
        name = _name(named)
        if not name:
            continue
        if name.lower() not in _CLASSES:
            raise UsageError(
                f"unknown {_LABEL} {name!r} in row {row}", where=where, try_=f"known: {', '.join(CLASSES)}"
            )
        maps.append(_map(map, row, where))
        label.append(_CLASSES[name.lower()])
        split.append(_split(_name(part), row, where))
        index.append(row)
    return MapSet(
        maps, np.array(label, dtype=np.uint8), np.array(split, dtype=np.uint8), np.array(index, dtype=np.int64), CLASSES
    )


def _name(cell: Any) -> str:
    """The one name inside any number of brackets; "" where there is none."""
    inside = getattr(cell, "values", cell)
    while isinstance(inside, np.ndarray | list | tuple):
        flat = inside.ravel() if isinstance(inside, np.ndarray) else inside
        inside = getattr(flat[0], "values", flat[0]) if len(flat) else ""
    if isinstance(inside, bytes):
        return inside.decode("latin1")
    return str(inside) if isinstance(inside, str) else ""


def _split(name: str, row: int, where: str) -> int:
    if name.lower() not in _SPLITS:
        raise UsageError(f"unknown {_SPLIT} {name!r} in row {row}", where=where, try_="known: Training, Test")
    return SPLITS.index(_SPLITS[name.lower()])


def _map(cell: Any, row: int, where: str) -> Map:
    dies: NDArray[Any] = np.asarray(getattr(cell, "values", cell))
    if dies.ndim != 2 or dies.dtype.kind not in "iu" or not dies.size:
        raise UsageError(f"{_MAP} in row {row} is {dies.dtype} {dies.shape}, not rows and columns of dies", where=where)
    if dies.min() < 0 or dies.max() > FAIL:
        raise UsageError(f"{_MAP} in row {row} holds {dies.min()} to {dies.max()}, not 0 to {FAIL}", where=where)
    return np.ascontiguousarray(dies, dtype=np.uint8)
