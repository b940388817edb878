"""The seats of an elastic gang: places in which rank processes are started, end, and are started again."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from xpshpc.cluster.ranks.launchers import end_families, rank_command, start_process
from xpshpc.errors import XpshpcError


class Seats(Protocol):
    """Where ranks are started, on this host or on SLURM's nodes. `log` is the launch's own."""

    @property
    def log(self) -> Path: ...

    def start(self, seats: Sequence[int]) -> None:
        """Starts a process in each of these seats, which are empty."""
        ...

    def ended(self) -> dict[int, int]:
        """The exit codes (negative: a signal) of the processes that have ended since the last call, by seat."""
        ...

    def running(self) -> bool:
        """Whether any process still runs, or is about to."""
        ...

    def drain(self) -> None:
        """Asks all processes to stop in good order."""
        ...

    def kill(self, seat: int) -> None:
        """Ends the process in a seat."""
        ...

    def fault(self) -> XpshpcError | None:
        """What, other than a rank, made the gang fail."""
        ...


class LocalSeats:
    """Processes of this host, one a seat."""

    def __init__(self, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        self._command = command
        self._environment = environment
        self._taken: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, seats: Sequence[int]) -> None:
        for seat in seats:
            self._taken[seat] = start_process(self._command, {**self._environment, "XPSHPC_SEAT": str(seat)}, self.log)

    def ended(self) -> dict[int, int]:
        codes = {seat: process.poll() for seat, process in self._taken.items()}
        over = {seat: code for seat, code in codes.items() if code is not None}
        for seat in over:
            del self._taken[seat]
        return over

    def running(self) -> bool:
        return bool(self._taken)

    def drain(self) -> None:
        for process in self._taken.values():
            process.send_signal(signal.SIGTERM)

    def kill(self, seat: int) -> None:
        if seat in self._taken:
            self._taken[seat].kill()

    def fault(self) -> XpshpcError | None:
        return None

    def close(self) -> None:
        """Ends all processes and what they started."""
        end_families([*self._taken.values()])


@contextmanager
def open_local_seats(
    environment: Mapping[str, str], logs: Path, module: str, arguments: Sequence[str]
) -> Iterator[LocalSeats]:
    """Seats for ranks of this host; none is occupied any more afterwards."""
    log = logs / "launcher.log"
    log.unlink(missing_ok=True)
    seats = LocalSeats(rank_command(os.getpid(), logs, module, arguments), environment, log)
    try:
        yield seats
    finally:
        seats.close()
