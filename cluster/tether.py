"""Processes that die with the one that started them, even when that one is killed without a chance to clean up.

`python -m xpshpc.cluster.tether [--signal=TERM] PARENT COMMAND…` becomes the command, tethered to the process PARENT.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int | None = None, word: signal.Signals = signal.SIGKILL) -> None:
    """Asks Linux to send this process a signal as soon as its parent is gone, and leaves at once if it is gone already.

    `parent` is the process id that should be the parent; without it, only an orphan is recognised.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, word, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent if parent is not None else os.getppid() == 1:
        os._exit(128 + signal.SIGKILL)


if __name__ == "__main__":
    parent, *command = sys.argv[1:]
    word = signal.SIGKILL
    if parent.startswith("--signal="):
        word, (parent, *command) = signal.Signals[f"SIG{parent.removeprefix('--signal=')}"], command
    die_with_parent(int(parent), word)
    os.execvp(command[0], command)
