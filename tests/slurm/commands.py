"""SLURM commands that fail for a while, and then are the real ones."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from xpshpc.cluster.slurm.client import Slurm

TIMED_OUT = "Batch job submission failed: Socket timed out on send/recv operation"
AWAY = "Unable to contact slurm controller (connect failure)"


def failing(folder: Path, command: str, times: int, words: str, *, after: bool = False) -> str:
    """Puts a `command` that fails so many times into a folder, and returns a PATH that begins with it.

    `after`: the real command does its work all the same, and only its answer is lost.
    """
    folder.mkdir(parents=True, exist_ok=True)
    real = shutil.which(command)
    lost = f'{real} "$@" > /dev/null' if after else ":"
    script = folder / command
    script.write_text(
        f"#!/bin/sh\necho x >> {folder}/{command}.calls\n"
        f'if [ "$(wc -l < {folder}/{command}.calls)" -le {times} ]; then {lost}; echo "{words}" >&2; exit 1; fi\n'
        f'exec {real} "$@"\n'
    )
    script.chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def calls(folder: Path, command: str) -> int:
    """How often a command of this folder was given."""
    return len((folder / f"{command}.calls").read_text().splitlines())


def hasty(path: str | None = None, patience_s: float = 60.0) -> Slurm:
    """A Slurm that does not wait long between two tries."""
    environment = {} if path is None else {"PATH": path}
    return Slurm(patience_s=patience_s, environment=environment, sleep=lambda pause_s: time.sleep(min(pause_s, 0.1)))


def wait_until(what: Callable[[], object], patience_s: float = 90.0) -> None:
    """Waits until something holds."""
    end = time.monotonic() + patience_s
    while not what():
        assert time.monotonic() < end, "it never came to this"
        time.sleep(0.1)


def batch_script(folder: Path, *lines: str, name: str = "job") -> Path:
    """A batch script of these lines, whose output stays in its folder."""
    path = folder / f"{name}.sbatch"
    path.write_text("\n".join(["#!/bin/bash", f"#SBATCH --output={folder}/%x-%j.out", "#SBATCH --mem=100", *lines, ""]))
    return path
