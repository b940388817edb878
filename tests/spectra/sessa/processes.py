"""Small programs that answer like a console, and a look at which processes are left."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil

OBEDIENT = """
import sys
for line in sys.stdin:
    if line.strip() == "\\\\QUIT":
        break
    print("got", line.strip()); print("Done", flush=True)
"""


def write_program(folder: Path, text: str, name: str = "program") -> list[str]:
    """A command that runs a Python text."""
    file = folder / f"{name}.py"
    file.write_text(text)
    return [sys.executable, "-S", str(file)]


def processes_below(pid: int) -> list[psutil.Process]:
    """The process and everything that descends from it."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def all_gone(processes: list[psutil.Process], within_s: float = 10.0) -> bool:
    """Whether these processes end, or are only waiting to be collected, within the time."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if not any(_lives(process) for process in processes):
            return True
        time.sleep(0.05)
    return False


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
