"""What a step takes: seconds, core-seconds, memory at its highest, and bytes on the disk."""

from __future__ import annotations

import os
import resource
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import psutil

SAMPLED_EVERY_S = 0.25


@dataclass(frozen=True)
class Usage:
    """Of this process and all it started on this machine. Ranks and workers on other nodes are not seen."""

    wall_s: float
    cpu_s: float
    peak_bytes: int


class Meter:
    """Measures from its making to the end of its block.

    Memory is the sum of the processes' resident sets, looked at again and again.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._peak = 0
        self._usage: Usage | None = None
        self._began, self._cpu = time.monotonic(), _cpu_s()
        self._thread = threading.Thread(target=self._watch, name="meter", daemon=True)

    def __enter__(self) -> Meter:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._usage = self._read()

    @property
    def usage(self) -> Usage:
        """Of the whole time; so far, where a signal came between this and the end."""
        return self._usage or self._read()

    def _read(self) -> Usage:
        return Usage(time.monotonic() - self._began, _cpu_s() - self._cpu, self._peak)

    def _watch(self) -> None:
        while True:
            self._peak = max(self._peak, _resident_bytes())
            if self._stop.wait(SAMPLED_EVERY_S):
                return


def disk_bytes(path: Path) -> int:
    """Bytes of all files below a path, those of links left out; 0 where nothing is."""
    if path.is_file():
        return path.stat().st_size
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            file = Path(folder, name)
            if not file.is_symlink():
                total += file.stat().st_size
    return total


def _cpu_s() -> float:
    """Core-seconds of this process and of those it waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def _resident_bytes() -> int:
    total = 0
    here = psutil.Process()
    for process in (here, *here.children(recursive=True)):
        try:
            total += int(process.memory_info().rss)
        except psutil.Error:
            continue
    return total
