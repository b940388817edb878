"""The commit protocol: a shard exists once its record does, and from then on nothing writes to its files.

1. Each file is written into staging (same file system), made durable, read back and compared.
2. Each file is linked into the store under its final name. A link never replaces anything: equal bytes left by an
   interrupted or a rival attempt are kept, unequal bytes that no record vouches for are replaced. When all are linked,
   their directories are made durable, one after the other: the first takes most of the others' changes with it.
3. The record is linked into `commits/`. The first link wins; whoever comes later has made the same bytes for nothing.

Killed at any point, the shard is either not committed, and made again with the same bytes, or committed and whole.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import VerificationError
from xpshpc.plan.shards import Shard
from xpshpc.run_directory import RunDirectory, sync_directory
from xpshpc.store.layout import StoredArray
from xpshpc.store.record import CommitRecord, FileRecord, read_record, record_file
from xpshpc.store.shard_file import DamagedShard, decode_shard, encode_shard

Checkpoint = Callable[[str], None]
"""Called with the name of each step that is done; a heartbeat, or a test that kills the process there."""

STAGED, LINKED, RECORDED = "staged", "linked", "recorded"


def _pass(step: str) -> None:
    """No checkpoint."""


@dataclass(frozen=True)
class Commit:
    """The record that stands, and whether this call published it."""

    record: CommitRecord
    first: bool


def commit_shard(
    run: RunDirectory,
    arrays: Sequence[StoredArray],
    shard: Shard,
    rows: Mapping[str, NDArray[Any]],
    staging: Path,
    make_record: Callable[[dict[str, FileRecord]], CommitRecord],
    checkpoint: Checkpoint = _pass,
) -> Commit:
    """Stores the rows of a shard, (len(shard), *shape) for each array, and publishes its record.

    `staging` is a private folder on the run's file system that only this attempt uses; it is left to its owner.
    A shard that is committed already is left as it is. Raises OSError if the disk fails or gives back other bytes than
    it was given, VerificationError if the shard was committed meanwhile with other bytes.
    """
    standing = read_record(run, shard.number)
    if standing is not None:
        return Commit(standing, first=False)
    files: dict[str, FileRecord] = {}
    for array in arrays:
        files[array.name] = _stage(array, rows[array.name], staging / array.name)
        checkpoint(f"{STAGED}:{array.name}")
    standing = read_record(run, shard.number)
    if standing is not None:
        return Commit(standing, first=False)
    record = make_record(files)
    for array in arrays:
        if not _link(staging / array.name, array.file(run.data, shard.number), files[array.name].sha256):
            _replace_orphan(run, record, array, staging / array.name)
        checkpoint(f"{LINKED}:{array.name}")
    for array in arrays:
        sync_directory(array.file(run.data, shard.number).parent)
    if _publish(run, record, staging):
        checkpoint(RECORDED)
        return Commit(record, first=True)
    return Commit(_check_rival(record, read_record(run, shard.number), run), first=False)


def _stage(array: StoredArray, rows: NDArray[Any], file: Path) -> FileRecord:
    data = encode_shard(rows, array.form)
    _write_durably(file, data)
    returned = file.read_bytes()
    try:
        same = returned == data and np.array_equal(decode_shard(returned, array.form, len(rows)), rows)
    except DamagedShard:
        same = False
    if not same:
        raise OSError(errno.EIO, "the file system gave back other bytes than were written", str(file))
    raw = np.ascontiguousarray(rows, dtype=array.form.dtype)
    return FileRecord(hashlib.sha256(data).hexdigest(), len(data), hashlib.sha256(raw.data).hexdigest())


def _write_durably(file: Path, data: bytes) -> None:
    with file.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())


def _link(staged: Path, final: Path, sha256: str) -> bool:
    """Links a staged file under its final name; false if other bytes stand there."""
    try:
        os.link(staged, final)
    except FileExistsError:
        if hashlib.sha256(final.read_bytes()).hexdigest() != sha256:
            return False
    return True


def _replace_orphan(run: RunDirectory, ours: CommitRecord, array: StoredArray, staged: Path) -> None:
    """Puts a staged file in the place of one that differs, unless a record vouches for that one."""
    standing = read_record(run, ours.shard)
    if standing is not None:
        _check_rival(ours, standing, run)
        return
    final = array.file(run.data, ours.shard)
    second_name = staged.with_name(f"{staged.name}.replacement")
    os.link(staged, second_name)
    second_name.replace(final)


def _publish(run: RunDirectory, record: CommitRecord, staging: Path) -> bool:
    staged = staging / "record.json"
    _write_durably(staged, record.to_json())
    try:
        os.link(staged, record_file(run, record.shard))
    except FileExistsError:
        return False
    sync_directory(run.commits)
    return True


def _check_rival(ours: CommitRecord, standing: CommitRecord | None, run: RunDirectory) -> CommitRecord:
    """The record that came first. Raises VerificationError if it speaks of other bytes than ours."""
    if standing is None or standing.files != ours.files:
        raise VerificationError(
            f"two attempts at shard {ours.shard} gave different bytes: the source must depend on nothing but job, seed "
            "and index",
            where=str(record_file(run, ours.shard)),
            try_=f"xpshpc verify {run.path} --repair",
        )
    return standing


def clear_staging(folder: Path) -> None:
    """Removes a staging folder with all that was half-made in it; a folder that is gone is no error."""
    shutil.rmtree(folder, ignore_errors=True)


def make_private_folder(folder: Path) -> Path:
    """Makes a folder (and its parents) that only the owner can enter."""
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
