"""What a worker does: makes the samples of one shard, piece by piece, and commits them itself."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.cluster.slurm.client import own_job
from xpshpc.cluster.workers.departure import Departure
from xpshpc.config import JobFile
from xpshpc.errors import UsageError, XpshpcError
from xpshpc.generate.heartbeat import Heart, attempt_folder
from xpshpc.generate.last_words import leave_words
from xpshpc.generate.policy import Cause, Decision, is_convicted
from xpshpc.generate.validate import BadOutput, validate_piece
from xpshpc.plan.shards import Shard
from xpshpc.run_directory import RunDirectory
from xpshpc.source import AttendedSource, SampleError, Source
from xpshpc.store.commit import clear_staging, commit_shard, make_private_folder
from xpshpc.store.layout import VALID, StoredArray
from xpshpc.store.record import Attempt, CommitRecord, FileRecord, Quarantined, installed_versions, read_record

WHY_LENGTH = 500
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class ShardTask:
    """One attempt at a shard.

    `session` names the coordinator's part of staging. Pieces whose first sample is in `isolated` are made sample by
    sample; the samples in `quarantined` are not made. `first` is true while no sample of the run has ever come out
    well: then a shard without a single good sample is an error of the job, not of its samples.
    """

    shard: Shard
    number: int
    session: str
    history: tuple[Attempt, ...] = ()
    isolated: frozenset[int] = frozenset()
    quarantined: tuple[Quarantined, ...] = ()
    first: bool = False


def next_attempt(task: ShardTask, failure: Attempt, decision: Decision) -> ShardTask:
    """The attempt that follows a failed one, by what was decided on it."""
    isolated, quarantined = task.isolated, task.quarantined
    if decision is Decision.ISOLATE and failure.piece is not None:
        isolated |= {failure.piece}
    if decision is Decision.QUARANTINE and failure.sample is not None:
        quarantined += (Quarantined(failure.sample, failure.cause, failure.why),)
    return replace(
        task, number=task.number + 1, history=(*task.history, failure), isolated=isolated, quarantined=quarantined
    )


class AttemptFailed(Exception):
    """An attempt failed; `attempt` says how."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(attempt)
        self.attempt = attempt


class PieceFailed(Exception):
    """One call of the source failed."""

    def __init__(self, cause: Cause, why: str, first: int) -> None:
        super().__init__(cause, why, first)
        self.cause = cause
        self.why = why[:WHY_LENGTH]
        self.first = first


class Workbench:
    """What the shards of a run have in common. It travels to each worker once and builds the source there."""

    def __init__(self, run: RunDirectory, job_file: JobFile, arrays: tuple[StoredArray, ...], data_hash: str) -> None:
        self.run = run
        self.job_file = job_file
        self.arrays = arrays
        self.data_hash = data_hash

    @cached_property
    def source(self) -> Source:
        return self.job_file.source()

    @cached_property
    def attended(self) -> AttendedSource | None:
        """The source, if it watches over its samples itself."""
        return self.source if isinstance(self.source, AttendedSource) else None

    @cached_property
    def versions(self) -> dict[str, str]:
        return installed_versions()

    @cached_property
    def piece_samples(self) -> int:
        """Samples in one call of the source, and between two heartbeats.

        Pieces are cut at the same places in each attempt, whatever the time they take.
        """
        return self.source.piece_samples or self.job_file.job.generate.inner_chunk_samples


def make_shard(
    bench: Workbench,
    task: ShardTask,
    worker: str = "",
    clock: Callable[[], float] = time.monotonic,
    departure: Departure | None = None,
) -> None:
    """Makes and commits a shard, unless it is committed already. A worker that is leaving begins none.

    Raises AttemptFailed with the cause, and XpshpcError for what no other attempt would cure.
    """
    if read_record(bench.run, task.shard.number) is not None:
        return
    departure = departure or Departure()
    if departure.requested:
        raise AttemptFailed(_attempt(task, Cause.STOPPED, "the worker was asked to leave", 0.0))
    began = clock()
    session = bench.run.staging / task.session
    folder = attempt_folder(session, task.shard.number, task.number, os.getpid())
    try:
        make_private_folder(folder)
        with Heart(folder, task.shard.number, task.number, worker) as heart, departure.watched(heart.leave):
            rows, quarantined = _make_rows(bench, task, heart)
            if task.first and not rows[VALID.name].any():
                raise _nothing_good(bench, quarantined)
            commit_shard(
                bench.run,
                bench.arrays,
                task.shard,
                rows,
                folder,
                lambda files: _record(bench, task, files, quarantined, worker, clock() - began),
                heart.beat,
            )
    except PieceFailed as error:
        raise _failed(session, task, error.cause, error.why, clock() - began, error.first) from None
    except OSError as error:
        cause = Cause.DISK_FULL if error.errno in NO_ROOM else Cause.CRASH
        raise _failed(session, task, cause, str(error), clock() - began) from None
    finally:
        clear_staging(folder)


def _make_rows(bench: Workbench, task: ShardTask, heart: Heart) -> tuple[dict[str, NDArray[Any]], list[Quarantined]]:
    """The rows of all arrays, `valid` among them, and the samples left out (their rows are zero)."""
    shard = task.shard
    rows = {array.name: np.zeros((len(shard), *array.form.row_shape), array.form.dtype) for array in bench.arrays}
    quarantined = list(task.quarantined)
    known = np.array([sample.sample for sample in quarantined], dtype=np.int64)
    heart.beat("preparing the source")
    for first in range(shard.start, shard.stop, bench.piece_samples):
        indices = np.arange(first, min(first + bench.piece_samples, shard.stop), dtype=np.int64)
        indices = np.setdiff1d(indices, known, assume_unique=True)
        if first in task.isolated:
            for index in indices:
                quarantined += _make_single(bench, heart, shard, first, int(index), rows)
        else:
            _begin(bench, heart, piece=first)
            quarantined += _make_piece(bench, shard, indices, first, rows)
    return rows, sorted(quarantined, key=lambda sample: sample.sample)


def _begin(bench: Workbench, heart: Heart, *, piece: int, sample: int | None = None) -> None:
    """A beat before the source is called; one that is attended goes on beating for the same piece and sample."""
    heart.beat("making", piece=piece, sample=sample)
    if bench.attended is not None:
        bench.attended.attend(lambda step: heart.beat(step, piece=piece, sample=sample))


def _make_single(
    bench: Workbench, heart: Heart, shard: Shard, piece: int, index: int, rows: dict[str, NDArray[Any]]
) -> list[Quarantined]:
    """A sample made by itself, and again while it may only have failed by chance; what always fails is left out."""
    history: list[Attempt] = []
    while True:
        _begin(bench, heart, piece=piece, sample=index)
        try:
            return _make_piece(bench, shard, np.array([index], dtype=np.int64), index, rows)
        except PieceFailed as error:
            failure = Attempt(len(history) + 1, error.cause.value, error.why, piece=index, sample=index)
            if is_convicted(failure, history, bench.job_file.job.generate.allowances):
                return [Quarantined(index, error.cause.value, error.why)]
            history.append(failure)


def _make_piece(
    bench: Workbench, shard: Shard, indices: NDArray[np.int64], first: int, rows: dict[str, NDArray[Any]]
) -> list[Quarantined]:
    """Fills in the rows of these samples; returns those that the source refuses. Raises PieceFailed."""
    refused: list[Quarantined] = []
    while len(indices):
        try:
            made = _call_source(bench, indices, first)
        except SampleError as error:
            if error.index not in indices:
                raise PieceFailed(Cause.BAD_OUTPUT, f"refused a sample it was not asked for: {error}", first) from None
            refused.append(Quarantined(error.index, Cause.REFUSED.value, error.why[:WHY_LENGTH]))
            indices = indices[indices != error.index]
            continue
        places = indices - shard.start
        for name, array in made.items():
            rows[name][places] = array
        rows[VALID.name][places] = True
        break
    return refused


def _call_source(bench: Workbench, indices: NDArray[np.int64], first: int) -> dict[str, NDArray[Any]]:
    try:
        made = bench.source.make(indices)
        validate_piece((array.spec for array in bench.arrays if array.name != VALID.name), len(indices), made)
    except (SampleError, XpshpcError):
        raise
    except BadOutput as error:
        raise PieceFailed(Cause.BAD_OUTPUT, str(error), first) from error
    except (Exception, SystemExit) as error:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise
        raise PieceFailed(Cause.CRASH, f"{type(error).__name__}: {error}", first) from error
    return made


def _nothing_good(bench: Workbench, quarantined: list[Quarantined]) -> XpshpcError:
    worst = quarantined[0]
    return UsageError(
        f"not one sample of the first shard could be made; sample {worst.sample}: {worst.cause}, {worst.why}",
        where=f"source {bench.job_file.job.generate.source!r}",
        try_="correct the job's settings of the source",
    )


def _failed(
    session: Path, task: ShardTask, cause: Cause, why: str, seconds: float, piece: int | None = None
) -> AttemptFailed:
    attempt = _attempt(task, cause, why, seconds, piece)
    leave_words(session, task.shard.number, attempt)
    return AttemptFailed(attempt)


def _attempt(task: ShardTask, cause: Cause, why: str, seconds: float, piece: int | None = None) -> Attempt:
    return Attempt(
        task.number, cause.value, why[:WHY_LENGTH], socket.gethostname(), os.getpid(), round(seconds, 3), piece
    )


def _record(
    bench: Workbench,
    task: ShardTask,
    files: dict[str, FileRecord],
    quarantined: list[Quarantined],
    worker: str,
    seconds: float,
) -> CommitRecord:
    return CommitRecord(
        shard=task.shard.number,
        start=task.shard.start,
        stop=task.shard.stop,
        data_hash=bench.data_hash,
        files=files,
        quarantined=tuple(quarantined),
        attempts=task.history,
        host=socket.gethostname(),
        pid=os.getpid(),
        worker=worker,
        job_id=own_job() or "",
        versions=bench.versions,
        seconds=round(seconds, 3),
        finished=round(time.time(), 3),
    )
