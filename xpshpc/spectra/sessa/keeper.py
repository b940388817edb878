"""Keeps one program and all that it starts on a leash, and clears up when the leash is let go or its holder is dead.

Run as a file, with nothing but the standard library: `python keeper.py CONTROL PARENT GRACE SCRATCH COMMAND…`.
CONTROL is the number of the reading end of a pipe: when its other end is closed, or the process PARENT ends, or the
keeper itself is told to stop, the command and every process that descends from it get SIGTERM, and SIGKILL GRACE
seconds later. What the command leaves running when it ends by itself is killed at once. The folder SCRATCH is removed
last. The exit code is the command's, 128 + n after signal n.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LAST_WAIT_S = 10.0
_STEP_S = 0.01
_STATE, _PARENT = 0, 1
"""Fields of /proc/PID/stat after the command's name."""


def keep(control: int, parent: int, grace_s: float, scratch: Path, command: list[str]) -> int:
    """Runs the command until it ends or is to end; see the module."""
    told, wake = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.write(wake, b"."))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")
    try:
        child = subprocess.Popen(
            command, start_new_session=True, preexec_fn=lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        )
        _let_go_of_standard_streams()
        if not _ended_by_itself(child, control, parent, told):
            _ask_to_end(child, grace_s)
        _kill_all(child)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    code = child.returncode if child.returncode is not None else -signal.SIGKILL
    return code if code >= 0 else 128 - code


def _let_go_of_standard_streams() -> None:
    """The pipes belong to the command: whoever reads them sees their end when the command is gone."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.close(nothing)


def _ended_by_itself(child: subprocess.Popen[bytes], control: int, parent: int, told: int) -> bool:
    """Waits for the first of: the command ends (true), the leash is let go, its holder dies, a signal comes."""
    if os.getppid() != parent:
        return False
    ended = os.pidfd_open(child.pid)
    poll = select.poll()
    for descriptor in (ended, os.pidfd_open(parent), control, told):
        poll.register(descriptor, select.POLLIN)
    ready: list[int] = []
    while not ready:
        ready = [descriptor for descriptor, _ in poll.poll()]
    return ended in ready


def _ask_to_end(child: subprocess.Popen[bytes], grace_s: float) -> None:
    for pid in _descendants():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(grace_s)


def _kill_all(child: subprocess.Popen[bytes]) -> None:
    """Kills whatever descends from this process until nothing does, also what was started meanwhile."""
    until = time.monotonic() + _LAST_WAIT_S
    while time.monotonic() < until:
        for pid in _descendants():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        child.poll()
        try:
            while child.returncode is not None and os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(_STEP_S)


def _descendants() -> set[int]:
    """Every living process below this one, also those whose own parent has ended: they are this one's then."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = Path(entry.path, "stat").read_text()
                fields = stat[stat.rindex(")") + 2 :].split()
                if fields[_STATE] not in "X":
                    children.setdefault(int(fields[_PARENT]), []).append(int(entry.name))
    found: set[int] = set()
    pending = [os.getpid()]
    while pending:
        below = children.get(pending.pop(), [])
        found.update(below)
        pending += below
    return found


if __name__ == "__main__":
    sys.exit(keep(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]), sys.argv[5:]))
