"""Heartbeats: a worker says what it is doing, and the coordinator notices when it has said nothing for too long.

A beat comes from the progress of the work itself (a thread would go on beating while the work hangs). It is one short
file in the attempt's own folder, overwritten in place, so that a full disk cannot stop it and every reader on a shared
file system sees it; whether it changed is judged by the reader's monotonic clock.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from xpshpc.cluster.process import ProcessId, process_of
from xpshpc.cluster.slurm.client import own_job

BEAT_FILE = "beat.json"
BEAT_BYTES = 512


@dataclass(frozen=True)
class Beat:
    """The last sign of an attempt: `count` grows with each, `step` is what it began to do then.

    `worker` is Dask's name of the worker, `job_id` its SLURM job; `leaving` tells that it was asked to leave.
    `piece` is the first sample of the call of the source that runs, `sample` the only one if it is made by itself.
    """

    shard: int
    attempt: int
    host: str
    pid: int
    born: int
    count: int = 0
    step: str = "begun"
    piece: int | None = None
    sample: int | None = None
    worker: str = ""
    job_id: str = ""
    leaving: bool = False

    @property
    def process(self) -> ProcessId:
        return ProcessId(self.host, self.pid, self.born)


class Heart:
    """Writes the beats of one attempt into its folder."""

    def __init__(self, folder: Path, shard: int, attempt: int, worker: str = "") -> None:
        me = _process(os.getpid())
        beat = Beat(shard, attempt, me.host, me.pid, me.born, worker=worker, job_id=own_job() or "")
        self._signs: dict[str, object] = dict(vars(beat))
        self._count = beat.count
        self._lock = threading.Lock()
        self._file = os.open(folder / BEAT_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._write()

    def beat(self, step: str, *, piece: int | None = None, sample: int | None = None) -> None:
        with self._lock:
            self._count += 1
            self._signs.update(count=self._count, step=step, piece=piece, sample=sample)
            self._write()

    def leave(self) -> None:
        """Says that the worker was asked to leave: if it dies now, that is no fault. No sign of life, for it comes
        from another thread than the work."""
        with self._lock:
            self._signs.update(leaving=True)
            self._write()

    def _write(self) -> None:
        os.pwrite(self._file, json.dumps(self._signs).encode().ljust(BEAT_BYTES), 0)

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> Heart:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@cache
def _process(pid: int) -> ProcessId:
    """This process, looked up once; a fork of it has another number."""
    return process_of(pid)


def attempt_folder(session: Path, shard: int, attempt: int, pid: int) -> Path:
    """The private folder of one attempt by one process."""
    return session / f"{shard:08d}.{attempt}.{pid}"


def read_beats(session: Path) -> Iterator[Beat]:
    """The attempts that have begun and not ended, one for each folder of a session; those ending now are left out."""
    try:
        folders = [entry.path for entry in os.scandir(session)]
    except FileNotFoundError:
        return
    for folder in folders:
        try:
            yield Beat(**json.loads((Path(folder) / BEAT_FILE).read_bytes()))
        except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
            continue


class Watch:
    """Remembers when each attempt's beat last changed, by the clock of whoever watches."""

    def __init__(self, silence_s: float) -> None:
        self._silence_s = silence_s
        self._seen: dict[tuple[int, int, int], tuple[int, float]] = {}

    def silent(self, beats: Iterable[Beat], now: float) -> list[Beat]:
        """The attempts without a new beat for `silence_s` seconds. `now` is monotonic, in seconds."""
        seen = self._seen
        self._seen = {}
        silent: list[Beat] = []
        for beat in beats:
            key = (beat.shard, beat.attempt, beat.pid)
            count, since = seen.get(key, (-1, now))
            if count != beat.count:
                since = now
            self._seen[key] = (beat.count, since)
            if now - since >= self._silence_s:
                silent.append(beat)
        return silent
