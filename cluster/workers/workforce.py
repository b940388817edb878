"""What a coordinator knows of its workers, wherever they run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from distributed import Client


class Workforce(Protocol):
    """Workers of a Dask client that are kept up in number."""

    wanted: int
    """Worker processes to keep up; it may be lowered when there is no work for so many."""

    @property
    def client(self) -> Client:
        """Hands tasks to the workers."""
        ...

    @property
    def connected(self) -> int:
        """Workers that can take tasks now."""
        ...

    @property
    def waiting(self) -> str:
        """Why no worker is there yet, where that is nobody's fault; empty when workers ought to be there."""
        ...

    def tend(self) -> None:
        """Replaces what died and tells events; to be called several times a second. Never blocks.

        Raises EnvironmentFault when workers cannot be had.
        """
        ...

    def end_worker(self, host: str, pid: int, worker: str) -> bool:
        """Kills a worker process on another host, or its whole job if that cannot be reached. Never blocks.

        False if there is no way to it.
        """
        ...
