"""Processes of this host, told apart from later ones that got the same number."""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

_STATE, _START_TIME = 0, 19
"""Fields of /proc/PID/stat, counted from the one after the command's name."""


@dataclass(frozen=True)
class ProcessId:
    """A process for all time: `born` is its start in clock ticks since boot, which no step of the clock changes."""

    host: str
    pid: int
    born: int

    @property
    def is_local(self) -> bool:
        return self.host == socket.gethostname()


def process_of(pid: int) -> ProcessId:
    """The process of this host that has this number now; if there is none, one that is not alive."""
    return ProcessId(socket.gethostname(), pid, _born(pid) or 0)


def this_process() -> ProcessId:
    """The process that asks."""
    return process_of(os.getpid())


def is_alive(process: ProcessId) -> bool:
    """Whether a process of this host still runs; one that is dead but not yet collected does not."""
    return _born(process.pid) == process.born


def kill_process(process: ProcessId) -> bool:
    """Kills a process of this host at once (SIGKILL); false if it was gone already."""
    if not is_alive(process):
        return False
    try:
        os.kill(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _born(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[_STATE] in "ZX" else int(fields[_START_TIME])
