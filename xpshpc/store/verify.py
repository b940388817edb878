"""Does the store hold what its records say? Every file is read again and compared."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xpshpc.cluster.machine import usable_cores
from xpshpc.config import JobFile
from xpshpc.errors import UsageError, VerificationError
from xpshpc.events import Event, Listener, StageFinished, StageProgressed, StageStarted
from xpshpc.plan.shards import Shard
from xpshpc.run_directory import RunDirectory
from xpshpc.store.identity import Identity, check_owner
from xpshpc.store.layout import VALID, StoredArray, lay_out
from xpshpc.store.lease import read_owner
from xpshpc.store.manifest import Manifest, Tally, read_manifest
from xpshpc.store.record import CommitRecord, read_record
from xpshpc.store.shard_file import DamagedShard, decode_shard, find_damage

STAGE = "verify"
AT_ONCE = 1024


@dataclass(frozen=True)
class BadSample:
    """Something that is not as recorded: the shard and first sample it touches, where there is one."""

    shard: int | None
    sample: int | None
    why: str


@dataclass(frozen=True)
class VerifyResult:
    """What was found. `shards` were checked; the other counts are samples: `committed` hold data, and with
    `quarantined` and `pending` they add up to `samples`, the plan. `strays` are files, relative to the run, that no
    record speaks of, `bad_metadata` those of Zarr's own that are damaged. An incomplete data set is `ok` if what it has
    is right."""

    ok: bool
    shards: int
    samples: int
    committed: int
    pending: int
    quarantined: int
    bad: tuple[BadSample, ...]
    strays: tuple[str, ...]
    bad_metadata: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def bad_shards(self) -> tuple[int, ...]:
        return tuple(sorted({bad.shard for bad in self.bad if bad.shard is not None}))


def verify(
    run: RunDirectory,
    job_file: JobFile,
    on_event: Listener | None = None,
    *,
    threads: int | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> VerifyResult:
    """Reads every file of a run's data set again and compares it with its record.

    May run beside a coordinator: what is being made then is not held against it. Raises UsageError if there is no data
    set, or another job's.
    """
    began = clock()
    listener = on_event or _ignore
    identity = check_owner(run, job_file)
    if identity is None:
        raise UsageError("no data set here", where=str(run.path), try_="xpshpc generate JOB")
    arrays = _expected_arrays(job_file)
    owner = read_owner(run)
    manifest = read_manifest(run, identity.plan())
    numbers = [int(number) for number in np.flatnonzero(manifest.committed)]
    total = sum(len(manifest.plan[number]) for number in numbers)
    listener(StageStarted(STAGE, total, 0, "samples"))
    metadata = dict(_bad_metadata(run, identity))
    bad = [BadSample(None, None, f"data.zarr/{name}: {why}") for name, why in metadata.items()]
    tally, read = Tally(), 0
    with ThreadPoolExecutor(threads or usable_cores()) as pool:
        for first in range(0, len(numbers), AT_ONCE):
            shards = [manifest.plan[number] for number in numbers[first : first + AT_ONCE]]
            checked = pool.map(lambda shard: _check_shard(run, arrays, shard, identity), shards)
            for shard, (record, found) in zip(shards, checked, strict=True):
                tally = tally if record is None else tally.add(record)
                bad += found
                read += len(shard)
                listener(StageProgressed(STAGE, read))
    strays = () if owner is not None and owner[1] else tuple(_find_strays(run, arrays, manifest))
    bad += [BadSample(None, None, f"{name}: no record speaks of it") for name in strays]
    listener(StageFinished(STAGE, clock() - began))
    return VerifyResult(
        ok=not bad,
        shards=len(numbers),
        samples=identity.samples,
        committed=tally.samples,
        pending=identity.samples - tally.samples - tally.quarantined,
        quarantined=tally.quarantined,
        bad=tuple(bad),
        strays=strays,
        bad_metadata=tuple(metadata),
    )


def _expected_arrays(job_file: JobFile) -> tuple[StoredArray, ...]:
    """From the job, not from the store, whose own metadata may be what is damaged."""
    settings = job_file.job.generate
    return lay_out(job_file.source().arrays(), settings.shard_samples, settings.inner_chunk_samples)


def _bad_metadata(run: RunDirectory, identity: Identity) -> Iterator[tuple[str, str]]:
    for name, expected in identity.metadata.items():
        try:
            data = (run.data / name).read_bytes()
        except OSError as error:
            yield name, str(error.strerror)
            continue
        if hashlib.sha256(data).hexdigest() != expected:
            yield name, "not the bytes that were written"


def _check_shard(
    run: RunDirectory, arrays: Sequence[StoredArray], shard: Shard, identity: Identity
) -> tuple[CommitRecord | None, list[BadSample]]:
    """The record of a shard if it can be read, and what is wrong with the shard."""
    try:
        record = read_record(run, shard.number)
    except VerificationError as error:
        return None, [BadSample(shard.number, shard.start, f"{error.where}: {error.what}")]
    if record is None:
        return None, []
    expected = (shard.number, shard.start, shard.stop, identity.data_hash, {array.name for array in arrays})
    if (record.shard, record.start, record.stop, record.data_hash, set(record.files)) != expected:
        return None, [BadSample(shard.number, shard.start, "the record belongs to another plan")]
    bad: list[BadSample] = []
    for array in arrays:
        bad += _check_file(run, array, shard, record)
    return record, bad


def _check_file(run: RunDirectory, array: StoredArray, shard: Shard, record: CommitRecord) -> list[BadSample]:
    try:
        data = array.file(run.data, shard.number).read_bytes()
    except OSError as error:
        return [BadSample(shard.number, shard.start, f"{array.name}: {error.strerror}")]
    if hashlib.sha256(data).hexdigest() == record.files[array.name].sha256:
        return _check_flags(data, array, shard, record) if array.name == VALID.name else []
    damages = find_damage(data, array.form, len(shard))
    if not damages:
        return [BadSample(shard.number, shard.start, f"{array.name}: whole, but not the bytes that were committed")]
    return [
        BadSample(
            shard.number,
            shard.start + damage.first,
            f"{array.name}: samples {shard.start + damage.first} to {shard.start + damage.stop - 1}: {damage.why}",
        )
        for damage in damages
    ]


def _check_flags(data: bytes, array: StoredArray, shard: Shard, record: CommitRecord) -> list[BadSample]:
    try:
        valid = decode_shard(data, array.form, len(shard))
    except DamagedShard as error:
        return [BadSample(shard.number, shard.start + error.damage.first, f"{array.name}: {error.damage.why}")]
    flagged = set((shard.start + np.flatnonzero(~valid)).tolist())
    listed = {sample.sample for sample in record.quarantined}
    return [
        BadSample(shard.number, sample, "flag and record disagree on whether it is in quarantine")
        for sample in sorted(flagged ^ listed)
    ]


def _find_strays(run: RunDirectory, arrays: Sequence[StoredArray], manifest: Manifest) -> Iterator[str]:
    """Files that no record speaks of, relative to the run."""
    for array in arrays:
        known = {array.chunk_key(int(number)) for number in np.flatnonzero(manifest.committed)} | {"zarr.json"}
        yield from _unknown(run, run.data / array.name, known)
    yield from _unknown(run, run.data, {array.name for array in arrays} | {"zarr.json"})
    yield from (str((run.commits / name).relative_to(run.path)) for name in manifest.strangers)
    yield from _unknown(run, run.staging, set())


def _unknown(run: RunDirectory, folder: Path, known: set[str]) -> Iterator[str]:
    if folder.is_dir():
        names = sorted(entry.name for entry in folder.iterdir() if entry.name not in known)
        yield from (str((folder / name).relative_to(run.path)) for name in names)


def _ignore(_event: Event) -> None:
    """Nobody listens."""
