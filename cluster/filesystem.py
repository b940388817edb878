"""Whether a folder's file system can do what a run asks of it: rename, link, fsync, append, and hold the data."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from xpshpc.cluster.readiness.check import Check, State

ENOUGH_BYTES = 5 * 10**9
VOLATILE = ("tmpfs", "ramfs")
MOUNTS = Path("/proc/mounts")


def examine_folder(name: str, folder: Path, *, enough_bytes: int = ENOUGH_BYTES, mounts: Path = MOUNTS) -> Check:
    """Tries in `folder`, or where it will be made, each operation that commits of shards rest on; leaves no trace."""
    place = nearest_existing(folder)
    elsewhere = f"a folder you may write to, for example: --run {Path.home() / 'runs' / folder.name}"
    if not place.is_dir():
        return Check(name, State.FAILED, f"{place} is a file, not a folder", elsewhere)
    try:
        trial = Path(tempfile.mkdtemp(prefix=".xpshpc-doctor-", dir=place))
    except OSError as error:
        return Check(name, State.FAILED, f"{place}: cannot make a folder: {error.strerror}", elsewhere)
    try:
        faults = try_operations(trial)
    finally:
        shutil.rmtree(trial, ignore_errors=True)
    kind = file_system_type(place, mounts)
    free = shutil.disk_usage(place).free
    found = f"{place} ({kind}), {free / 1e9:.1f} GB free"
    if faults:
        cure = f"another file system for the run; {kind} loses data without these"
        return Check(name, State.FAILED, "; ".join([found, *faults]), cure)
    if kind in VOLATILE:
        return Check(name, State.WARNING, f"{found}; lives in memory, gone with the next boot", elsewhere)
    if free < enough_bytes:
        cure = f"free space: du -xh --max-depth=1 {place} | sort -h"
        return Check(name, State.WARNING, f"{found}; a million spectra take about {ENOUGH_BYTES / 1e9:.0f} GB", cure)
    return Check(name, State.OK, f"{found}; rename, link, fsync, append work")


def nearest_existing(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.exists())


def file_system_type(place: Path, mounts: Path = MOUNTS) -> str:
    """The type of the file system that holds a place, as the mount table names it."""
    target = place.resolve()
    best, kind = -1, "unknown file system"
    for line in mounts.read_text().splitlines():
        _, mounted, named, *_ = line.split(" ")
        # The table writes blanks in octal; of two mounts on one folder the later one hides the earlier.
        mounted_on = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), mounted))
        if target.is_relative_to(mounted_on) and len(mounted_on.parts) >= best:
            best, kind = len(mounted_on.parts), named
    return kind


def try_operations(folder: Path) -> list[str]:
    """Tries each operation in an empty folder; the faults, in words."""
    trials: dict[str, Callable[[Path], None]] = {
        "fsync": _write_durably,
        "rename": _rename_over,
        "link": _link_once,
        "append": _append_in_turns,
    }
    faults = []
    for operation, attempt in trials.items():
        place = folder / operation
        try:
            place.mkdir()
            attempt(place)
        except OSError as error:
            faults.append(f"{operation} fails: {error.strerror or error}")
    return faults


def _write_durably(place: Path) -> None:
    with (place / "file").open("wb") as file:
        file.write(b"kept")
        file.flush()
        os.fsync(file.fileno())
    handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _rename_over(place: Path) -> None:
    (place / "new").write_bytes(b"new")
    (place / "old").write_bytes(b"old")
    (place / "new").replace(place / "old")
    if (place / "old").read_bytes() != b"new" or (place / "new").exists():
        raise OSError("a renamed file does not take the place of the old one")


def _link_once(place: Path) -> None:
    for name in ("first", "second"):
        (place / name).write_bytes(name.encode())
    (place / "record").hardlink_to(place / "first")
    try:
        (place / "record").hardlink_to(place / "second")
    except FileExistsError:
        if (place / "record").read_bytes() == b"first":
            return
    raise OSError("a second link takes the place of the first")


def _append_in_turns(place: Path) -> None:
    writers = [os.open(place / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) for _ in range(2)]
    try:
        for line in (b"one\n", b"two\n", b"three\n", b"four\n"):
            os.write(writers[0], line)
            writers.reverse()
    finally:
        for writer in writers:
            os.close(writer)
    if (place / "log").read_bytes() != b"one\ntwo\nthree\nfour\n":
        raise OSError("two writers of one file overwrite each other")
