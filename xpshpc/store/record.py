"""The record of a committed shard: one small JSON file, published once, that says the shard exists and what it is."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from xpshpc.errors import VerificationError
from xpshpc.run_directory import RunDirectory

DECIDING = ("xpshpc", "numpy", "numcodecs", "zarr")


@dataclass(frozen=True)
class FileRecord:
    """One array's file: SHA-256 of its bytes, its length, and SHA-256 of the rows before compression."""

    sha256: str
    bytes: int
    rows_sha256: str


@dataclass(frozen=True)
class Quarantined:
    """A sample that was left out, and why."""

    sample: int
    cause: str
    why: str


@dataclass(frozen=True)
class Attempt:
    """A failed attempt at a shard. `piece` is the first sample of the call that failed, `sample` the one at fault."""

    number: int
    cause: str
    why: str
    host: str = ""
    pid: int = 0
    seconds: float = 0.0
    piece: int | None = None
    sample: int | None = None


@dataclass(frozen=True)
class CommitRecord:
    """A committed shard: samples `start` to `stop` (left out), its files, and how it came about.

    `attempts` are those that failed before this one; `seconds` is the time this one took, on one core; `finished` is
    in seconds since the epoch.
    """

    shard: int
    start: int
    stop: int
    data_hash: str
    files: dict[str, FileRecord]
    quarantined: tuple[Quarantined, ...]
    attempts: tuple[Attempt, ...]
    host: str
    pid: int
    worker: str
    job_id: str
    versions: dict[str, str]
    seconds: float
    finished: float

    @property
    def samples(self) -> int:
        """Samples that hold data."""
        return self.stop - self.start - len(self.quarantined)

    @property
    def stored_bytes(self) -> int:
        return sum(file.bytes for file in self.files.values())

    @property
    def core_s(self) -> float:
        """Seconds spent on the shard, failed attempts included."""
        return self.seconds + sum(attempt.seconds for attempt in self.attempts)

    def to_json(self) -> bytes:
        return json.dumps(vars(self), default=vars, separators=(",", ":")).encode() + b"\n"


def parse_record(data: bytes, where: str) -> CommitRecord:
    """A record from its JSON. Raises VerificationError if it is none."""
    try:
        fields: dict[str, Any] = json.loads(data)
        fields["files"] = {name: FileRecord(**file) for name, file in fields["files"].items()}
        fields["quarantined"] = tuple(Quarantined(**sample) for sample in fields["quarantined"])
        fields["attempts"] = tuple(Attempt(**attempt) for attempt in fields["attempts"])
        return CommitRecord(**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise VerificationError(
            f"this commit record cannot be read: {error!r}", where=where, try_="xpshpc verify RUN --repair"
        ) from None


def installed_versions() -> dict[str, str]:
    """Versions of what decides the bytes of a data set."""
    return {"python": platform.python_version(), **{name: version(name) for name in DECIDING}}


def record_file(run: RunDirectory, shard: int) -> Path:
    return run.commits / f"{shard:08d}.json"


def read_record(run: RunDirectory, shard: int) -> CommitRecord | None:
    """The record of a shard, or None while it is not committed. Raises VerificationError if it cannot be read."""
    file = record_file(run, shard)
    try:
        return parse_record(file.read_bytes(), str(file))
    except FileNotFoundError:
        return None


def read_records(run: RunDirectory, shards: Iterable[int]) -> Iterator[CommitRecord]:
    """The records of these shards, one at a time; those that are gone meanwhile are passed over."""
    for shard in shards:
        record = read_record(run, shard)
        if record is not None:
            yield record
