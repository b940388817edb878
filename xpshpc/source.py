"""A source makes samples: the one thing a science must offer to become a data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ArraySpec:
    """One array of a data set, as one sample has it: `shape` leaves the sample axis out.

    `dimensions` names the axes of `shape`; `unit` is a plain string ("counts", "Å", "1").
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    unit: str
    description: str
    dimensions: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)


class Source(Protocol):
    """Makes the samples of a data set. A sample is a pure function of (job, seed, index)."""

    @property
    def piece_samples(self) -> int | None:
        """Most samples in one call of `make`, which is also the time between two heartbeats: a slow source keeps a call
        well below `generate.silence_s`. None leaves it to the engine."""
        ...

    def arrays(self) -> tuple[ArraySpec, ...]:
        """What `make` yields."""
        ...

    def attributes(self) -> dict[str, Any]:
        """JSON values that describe the whole data set (axes, element symbols, settings)."""
        ...

    def make(self, indices: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """The samples of these indices, shape (len(indices), *spec.shape) for each array.

        Any split of the indices over calls gives the same bytes. Raises SampleError if one sample cannot be made.
        """
        ...


@runtime_checkable
class CountedSource(Protocol):
    """A source whose samples follow from how many the job asks for, such as an order drawn over all of them."""

    def counted(self, samples: int) -> Source:
        """The source of a data set of so many. Raises UsageError for a number that cannot be."""
        ...


@runtime_checkable
class CheckedSource(Protocol):
    """A source that needs more than its settings, such as files or a program."""

    def check(self) -> None:
        """Called before any worker starts. Raises XpshpcError if what the source needs is not on this machine."""
        ...


@runtime_checkable
class AttendedSource(CheckedSource, Protocol):
    """A source that takes long, to begin or for a single sample, and says itself that it is at work."""

    def attend(self, beat: Callable[[str], None]) -> None:
        """Called before each `make` with where to tell what it begins to do now, or, every few seconds and only as long
        as its own watch runs, what it is waiting for. What it has to prepare, it may prepare here, step by step."""
        ...


class SampleError(Exception):
    """One sample could not be made; its shard goes on without it."""

    def __init__(self, index: int, why: str) -> None:
        super().__init__(index, why)
        self.index = index
        self.why = why

    def __str__(self) -> str:
        return f"sample {self.index}: {self.why}"
