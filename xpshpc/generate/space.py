"""Room on the disk: is there enough for what is still to be made, and what to do while there is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

from xpshpc.errors import EnvironmentFault
from xpshpc.generate.policy import Patience
from xpshpc.run_directory import RunDirectory
from xpshpc.store.layout import StoredArray
from xpshpc.store.manifest import Tally

STORED_SHARE = {"u": 0.4, "i": 0.4, "b": 0.1, "f": 0.8, "c": 0.8}
"""Stored bytes for a raw byte by kind of number; measured: counts with Poisson noise 1/2.6, noisy float32 1/1.27."""


def raw_sample_bytes(arrays: Iterable[StoredArray]) -> int:
    """Bytes of one sample before compression."""
    return sum(_raw(array) for array in arrays)


def bytes_needed(arrays: Iterable[StoredArray], samples: int, so_far: Tally) -> int:
    """Bytes that so many more samples will take: as those before them did, or as is usual for their kind of number."""
    if so_far.samples:
        return samples * so_far.bytes // so_far.samples
    return int(samples * sum(_raw(array) * STORED_SHARE.get(array.form.dtype.kind, 1.0) for array in arrays))


def free_bytes(run: RunDirectory) -> int:
    return shutil.disk_usage(run.path).free


def check_space(run: RunDirectory, needed: int) -> None:
    """Raises EnvironmentFault naming what is needed and what is free, if that is less."""
    free = free_bytes(run)
    if free < needed:
        raise EnvironmentFault(
            f"the data set needs about {needed / 1e9:.3g} GB, and {free / 1e9:.3g} GB are free",
            where=str(run.path),
            try_="free some space, or make fewer samples (generate.samples)",
        )


class Pause:
    """The wait for room on a full disk: nothing is handed out for a while, then one shard tries, then all go on."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._since: float | None = None
        self._until = 0.0
        self._failures = 0

    def begin(self, now: float, where: str) -> float:
        """The disk took no more: seconds until the next try. Raises EnvironmentFault when patience is at its end."""
        if self._since is None:
            self._since = now
        if now - self._since >= self._patience.total_s:
            raise EnvironmentFault(
                f"no room on the disk (or the quota is used up) for {self._patience.total_s:g} s; nothing is lost",
                where=where,
                try_="free some space, then the same command again",
            )
        if now >= self._until:
            self._failures += 1
            self._until = now + self._patience.delay(self._failures)
        return self._until - now

    def end(self) -> None:
        """The disk has taken a shard."""
        self._since, self._failures = None, 0

    @property
    def is_on(self) -> bool:
        """Whether the disk was full when last it was tried."""
        return self._since is not None

    def places(self, window: int, now: float) -> int:
        """How many shards may be handed out at once."""
        if not self.is_on:
            return window
        return 1 if now >= self._until else 0


def _raw(array: StoredArray) -> int:
    size = array.form.dtype.itemsize
    for length in array.form.row_shape:
        size *= length
    return size
