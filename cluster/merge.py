"""What ranks found, by name, brought together; a rank may have found nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.cluster.communicator import Communicator

Arrays = Mapping[str, NDArray[Any]]


def add_sums(sums: Arrays | None, more: Arrays) -> dict[str, NDArray[np.float64]]:
    """Sums by name, one set added to another in float64."""
    return {
        name: np.asarray(values, np.float64) + (0.0 if sums is None else sums[name]) for name, values in more.items()
    }


def merge_sums(sums: Arrays | None, communicator: Communicator) -> dict[str, NDArray[np.float64]]:
    """The sums of all ranks, on every rank. At least one rank must have some, were it none by name."""
    known = None if sums is None else {name: np.shape(values) for name, values in sums.items()}
    shapes = _agree_on(known, communicator)
    return {
        name: communicator.allreduce(np.zeros(shape) if sums is None else sums[name], "sum")
        for name, shape in shapes.items()
    }


def gather_rows(parts: Sequence[Arrays], communicator: Communicator) -> dict[str, NDArray[Any]]:
    """The rows of all ranks by name, in rank order, on every rank. At least one rank must have a part."""
    names = _agree_on(sorted(parts[0]) if parts else None, communicator)
    gathered = {}
    for name in names:
        mine = np.concatenate([part[name] for part in parts]) if parts else np.zeros(0)
        gathered[name] = np.concatenate(_with_shape(communicator.gather(mine)))
    return gathered


def _agree_on(known: Any, communicator: Communicator) -> Any:
    """The value of the first rank that knows it."""
    knowing = np.concatenate(communicator.gather(np.array([known is not None], dtype=np.float64)))
    return communicator.broadcast(known, root=int(np.flatnonzero(knowing)[0]))


def _with_shape(parts: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """The parts without those of ranks that had none, whose rows have no known shape."""
    return [part for part in parts if part.ndim > 1 or len(part)] or parts[:1]
