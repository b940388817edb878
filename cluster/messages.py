"""Values as bytes, and what ranks that can exchange bytes make of them: broadcasts and gathers, without pickles."""

from __future__ import annotations

import io
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xpshpc.errors import UsageError

Op = Literal["sum", "min", "max"]

_OPS = ("sum", "min", "max")
_LARGEST_MESSAGE = 2**30
_ARRAY, _JSON = b"A", b"J"


class Messages(ABC):
    """Broadcast and gather of values, given ranks that can exchange bytes."""

    rank: int
    size: int

    @abstractmethod
    def allreduce(self, array: ArrayLike, op: Op = "sum") -> NDArray[np.float64]:
        """See Communicator."""

    @abstractmethod
    def send_from(self, root: int, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The root's bytes; `data` has their length on every rank."""

    @abstractmethod
    def exchange(self, data: NDArray[np.uint8], lengths: Sequence[int]) -> NDArray[np.uint8]:
        """All ranks' bytes one after the other, of these lengths."""

    def broadcast(self, value: Any, root: int = 0) -> Any:
        check_root(root, self.size)
        data = pack(value) if self.rank == root else np.empty(0, np.uint8)
        length = int(self.allreduce(data.size)[()])
        if self.rank != root:
            data = np.zeros(length, np.uint8)
        pieces = [self.send_from(root, data[at : at + _LARGEST_MESSAGE]) for at in range(0, length, _LARGEST_MESSAGE)]
        return value if self.rank == root else unpack(np.concatenate(pieces))

    def gather(self, array: ArrayLike) -> list[NDArray[Any]]:
        data = pack(np.asarray(array))
        lengths = np.zeros(self.size)
        lengths[self.rank] = data.size
        left = self.allreduce(lengths).astype(np.int64)
        share = _LARGEST_MESSAGE // self.size
        parts: list[list[NDArray[np.uint8]]] = [[] for _ in range(self.size)]
        while left.any():
            round_lengths = [int(length) for length in np.minimum(left, share)]
            mine, data = np.split(data, [round_lengths[self.rank]])
            received = self.exchange(mine, round_lengths)
            for part, piece in zip(parts, np.split(received, np.cumsum(round_lengths)[:-1]), strict=True):
                part.append(piece)
            left -= round_lengths
        return [unpack(np.concatenate(part)) for part in parts]

    def barrier(self) -> None:
        self.allreduce(0.0)


def as_reducible(array: ArrayLike, op: str) -> NDArray[np.float64]:
    """A float64 copy of what is to be reduced. Raises UsageError for other than real numbers, or an unknown `op`."""
    if op not in _OPS:
        raise UsageError(f"unknown reduction {op!r}", try_="sum, min or max")
    values = np.asarray(array)
    if values.dtype.kind not in "biuf":
        raise UsageError(f"cannot reduce an array of {values.dtype}", try_="pass real numbers")
    return np.array(values, np.float64, order="C")


def check_root(root: int, size: int) -> None:
    """Raises UsageError where the rank does not exist."""
    if not 0 <= root < size:
        raise UsageError(f"rank {root} does not exist among {size} rank(s)")


def pack(value: Any) -> NDArray[np.uint8]:
    """An array, or what JSON can hold, as bytes."""
    if isinstance(value, np.ndarray | np.generic):
        buffer = io.BytesIO()
        buffer.write(_ARRAY)
        np.lib.format.write_array(buffer, np.asarray(value), allow_pickle=False)
        return np.frombuffer(buffer.getbuffer(), np.uint8)
    return np.frombuffer(_JSON + json.dumps(value).encode(), np.uint8)


def unpack(data: NDArray[np.uint8]) -> Any:
    """What `pack` was given."""
    raw = data.tobytes()
    if raw[:1] == _ARRAY:
        return np.lib.format.read_array(io.BytesIO(raw[1:]), allow_pickle=False)
    return json.loads(raw[1:])
