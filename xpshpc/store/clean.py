"""Puts a run back to nothing: what it holds, and its removal in an order that any other command can take up.

Records go first, one by one and from the last, so that at each moment the run is one that `generate` completes. Each
other entry is moved into staging by one rename and deleted there: nothing half deleted stands under a name that means
something, and `generate` and `clean` both empty staging. The lease is held to the end and goes last.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xpshpc.errors import UsageError, VerificationError
from xpshpc.events import Event, Listener, StageFinished, StageProgressed, StageStarted
from xpshpc.run_directory import RunDirectory, sync_directory
from xpshpc.store.commit import make_private_folder
from xpshpc.store.identity import read_identity
from xpshpc.store.lease import Lease, hold_lease, lease_folder, read_owner
from xpshpc.store.manifest import read_manifest
from xpshpc.store.stage import READERS, stages_at_rest

STAGE = "clean"
LEASE = "lease"
_OFTEN = 500
_KNOWN = re.compile(
    r"job\.toml|data\.zarr|commits|staging|events\.jsonl|train|evaluate|search|analyze|slurm|logs|report\.html|lease"
    r"|steps|sets|diets|answers|cache|steps\.jsonl|generated\.png|lock"
    r"|\.(job\.toml|report\.html)\.\d+\.tmp"
)


@dataclass(frozen=True)
class Entry:
    """A file or folder directly inside a run: how many files, and bytes in them; a link counts as itself."""

    name: str
    files: int
    bytes: int


@dataclass(frozen=True)
class Remains:
    """What a run's directory holds: what goes, what stays because no run puts it there, and how many samples go."""

    path: Path
    going: tuple[Entry, ...]
    kept: tuple[Entry, ...]
    samples: int

    @property
    def files(self) -> int:
        return sum(entry.files for entry in self.going)

    @property
    def bytes(self) -> int:
        return sum(entry.bytes for entry in self.going)

    def as_json(self) -> dict[str, Any]:
        return {
            "run": str(self.path),
            "samples": self.samples,
            "files": self.files,
            "bytes": self.bytes,
            "entries": [asdict(entry) for entry in self.going],
            "kept": [entry.name for entry in self.kept],
        }


def survey_run(path: Path, *, everything: bool = False) -> Remains:
    """What `clean_run` would remove; changes nothing. `everything`: also what this program did not put there.

    A directory that is not there, or holds no run, has nothing to remove. Raises UsageError for what is no directory,
    for a link, and for a directory with names of a run in it that no coordinator ever owned.
    """
    if path.is_symlink():
        raise UsageError(
            "this is a link, and links are not followed", where=str(path), try_=f"xpshpc clean {path.resolve()}"
        )
    if not path.exists():
        return Remains(path, (), (), 0)
    if not path.is_dir():
        raise UsageError("a run is a directory, and this is none", where=str(path), try_="xpshpc clean runs/demo")
    with os.scandir(path) as found:
        entries = sorted((_measure(entry) for entry in found), key=lambda entry: entry.name)
    known = {entry.name for entry in entries if _KNOWN.fullmatch(entry.name)}
    if not known:
        return Remains(path, (), tuple(entries), 0)
    run = RunDirectory(path)
    if (path / LEASE).is_symlink() or read_owner(run) is None:
        raise UsageError(
            f"this does not look like a run: {', '.join(sorted(known))}, but no lease that says who made it",
            where=str(path),
            try_="see what it is, and delete it by hand",
        )
    return Remains(
        path,
        tuple(entry for entry in entries if everything or entry.name in known),
        tuple(entry for entry in entries if not everything and entry.name not in known),
        _count_samples(run),
    )


def check_idle(run: RunDirectory) -> None:
    """Raises UsageError, naming who, if a coordinator, a training, an evaluation or a search works on the run."""
    held = read_owner(run)
    if held is not None and held[1]:
        raise UsageError(
            f"this run is being worked on by {held[0]}",
            where=str(run.path),
            try_=f"xpshpc status {run.path}; or stop that process first",
        )
    with stages_at_rest(run):
        pass


def clean_run(
    path: Path,
    *,
    everything: bool = False,
    on_event: Listener | None = None,
    checkpoint: Callable[[str], None] = lambda _step: None,
) -> Remains:
    """Removes a run, and its directory if nothing else is in it; returns what was there.

    Links are removed, never followed. `checkpoint` is called with each name that is out of the way. Raises
    UsageError as `survey_run` and `check_idle` do. Stopped at any moment, the same call goes on.
    """
    began = time.monotonic()
    remains = survey_run(path, everything=everything)
    if not remains.going:
        return remains
    run = RunDirectory(path)
    check_idle(run)
    tell = on_event or _ignore
    tell(StageStarted(STAGE, remains.files, 0, "files"))
    with hold_lease(run) as lease, stages_at_rest(run):

        def passed(step: str) -> None:
            lease.beat()
            checkpoint(step)

        def deleted(files: int) -> None:
            lease.beat()
            tell(StageProgressed(STAGE, files))

        _forget_shards(run, passed)
        names = [entry.name for entry in remains.going if entry.name not in ("staging", "job.toml", LEASE)]
        for name in sorted(names, key=lambda name: name != "data.zarr"):
            _set_aside(run, name)
            passed(name)
        _delete(run.staging, deleted)
        passed("staging")
        run.job.unlink(missing_ok=True)
        passed("job.toml")
    _leave(lease)
    tell(StageFinished(STAGE, time.monotonic() - began))
    return remains


def _measure(entry: os.DirEntry[str]) -> Entry:
    if not entry.is_dir(follow_symlinks=False):
        return Entry(entry.name, 1, entry.stat(follow_symlinks=False).st_size)
    with os.scandir(entry.path) as found:
        parts = [_measure(inner) for inner in found]
    return Entry(entry.name, sum(part.files for part in parts), sum(part.bytes for part in parts))


def _count_samples(run: RunDirectory) -> int:
    """Samples of the committed shards, those in quarantine included; 0 without a plan that can be read."""
    try:
        identity = read_identity(run)
    except VerificationError:
        return 0
    if identity is None:
        return 0
    manifest = read_manifest(run, identity.plan())
    return manifest.plan.samples - manifest.pending_samples()


def _forget_shards(run: RunDirectory, passed: Callable[[str], None]) -> None:
    if run.commits.is_symlink() or not run.commits.is_dir():
        return
    for record in sorted((file for file in run.commits.glob("*.json") if file.stem.isdecimal()), reverse=True):
        record.unlink()
        passed(f"commits/{record.name}")
    sync_directory(run.commits)


def _set_aside(run: RunDirectory, name: str) -> None:
    """Moves an entry into staging under a name that is free there."""
    if run.staging.is_symlink():
        run.staging.unlink()
    make_private_folder(run.staging)
    for number in range(10_000):
        place = run.staging / f"{name}.{number}"
        if not os.path.lexists(place):
            (run.path / name).rename(place)
            sync_directory(run.path)
            return
    raise UsageError("staging is full of earlier attempts", where=str(run.staging), try_=f"rm -r {run.staging}")


def _delete(folder: Path, tell: Callable[[int], None]) -> None:
    """Deletes a folder with all that is in it; links are unlinked. `tell` hears how many files are gone."""
    if folder.is_symlink():
        folder.unlink()
    done = 0
    for place, folders, names in os.walk(folder, topdown=False):
        for name in names:
            Path(place, name).unlink()
            done += 1
            if done % _OFTEN == 0:
                tell(done)
        for name in folders:
            inner = Path(place, name)
            inner.unlink() if inner.is_symlink() else inner.rmdir()
    if folder.is_dir():
        folder.rmdir()


def _leave(lease: Lease) -> None:
    """Removes the released leases and the empty directory; a coordinator that came meanwhile keeps both."""
    run = lease.run.path
    for stage in READERS:
        for file in (folder := lease_folder(lease.run, stage)).glob("*.json"):
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            folder.rmdir()
    for file in (lease.folder / f"{lease.generation:06d}.json", *lease.folder.glob(".*")):
        file.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        lease.folder.rmdir()
        run.rmdir()
        sync_directory(run.parent)


def _ignore(_event: Event) -> None:
    """Nobody listens."""
