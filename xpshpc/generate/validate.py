"""Is what a source gave what it promised? Names, shapes, types, and no value that is not a number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.source import ArraySpec


class BadOutput(Exception):
    """A source's arrays are not what its specs say."""


def validate_piece(specs: Iterable[ArraySpec], samples: int, rows: Mapping[str, NDArray[Any]]) -> None:
    """Checks the arrays of one call of `make` for so many samples. Raises BadOutput naming the first fault."""
    specs = tuple(specs)
    if not isinstance(rows, Mapping):
        raise BadOutput(f"the source gave a {type(rows).__name__}, not arrays by name")
    expected = {spec.name for spec in specs}
    if rows.keys() != expected:
        raise BadOutput(f"arrays {sorted(rows)} instead of {sorted(expected)}")
    for spec in specs:
        array = rows[spec.name]
        if not isinstance(array, np.ndarray):
            raise BadOutput(f"{spec.name} is a {type(array).__name__}, not an array")
        if array.shape != (samples, *spec.shape):
            raise BadOutput(f"{spec.name} has shape {array.shape} instead of {(samples, *spec.shape)}")
        if array.dtype != np.dtype(spec.dtype):
            raise BadOutput(f"{spec.name} is {array.dtype} instead of {spec.dtype}")
        if array.dtype.kind in "fc" and not np.isfinite(array).all():
            row = int(np.flatnonzero(~np.isfinite(array).reshape(samples, -1).all(axis=1))[0])
            raise BadOutput(f"{spec.name} has a value that is not finite (first in row {row} of the piece)")
