"""Signs of life of a lease: a file whose time of change its owner renews, on a clock that nobody may trust."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

EXPIRES_S = 300.0
BEAT_S = 10.0
WATCH_S = 3 * BEAT_S
_LOOK_S = 1.0


def watch_s(age_s: float) -> float | None:
    """How long a lease has to be watched before it counts as given up; None where it is fresh.

    `age_s` is the time since its last beat by the file system's clock. A beat from the future tells that a clock was
    stepped, or that two hosts disagree: then nothing counts but a whole silence of `EXPIRES_S` seen by ourselves.
    """
    if age_s >= EXPIRES_S:
        return WATCH_S
    return None if age_s > -BEAT_S else EXPIRES_S


def beats(file: Path, monotonic: Callable[[], float], sleep: Callable[[float], None]) -> bool:
    """Whether the owner gives signs of life, by the age of its last beat and, where that is in doubt, by watching.

    False also where the file is gone: then another took over.
    """
    stamp = stamp_of(file)
    if stamp is None:
        return False
    watch = watch_s((_now(file.parent) - stamp) / 1e9)
    if watch is None:
        return True
    end = monotonic() + watch
    while monotonic() < end:
        sleep(_LOOK_S)
        if stamp_of(file) != stamp:
            return stamp_of(file) is not None
    return False


def _now(folder: Path) -> int:
    """The time by the file system's clock, in nanoseconds."""
    probe = folder / f".{os.getpid()}.{threading.get_ident()}.clock"
    probe.touch()
    try:
        return probe.stat().st_mtime_ns
    finally:
        probe.unlink()


def stamp_of(file: Path) -> int | None:
    """When a lease was last beaten, in nanoseconds of the file system's clock; None if it is gone.

    The file is opened, for without that a network file system may answer from its cache.
    """
    try:
        with file.open("rb") as handle:
            return os.fstat(handle.fileno()).st_mtime_ns
    except FileNotFoundError:
        return None
