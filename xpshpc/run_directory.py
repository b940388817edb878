"""One run, one directory: where each of its files is, and whose it is."""

from __future__ import annotations

import fcntl
import os
import socket
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from xpshpc.config import JobFile, validate_job
from xpshpc.errors import EnvironmentFault, UsageError

LOCK = "lock"
"""The file in a folder of a run that the process holds which works there."""


@dataclass(frozen=True)
class RunDirectory:
    """Names the files of a run. Holding one makes nothing on the disk."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def job(self) -> Path:
        return self.path / "job.toml"

    @property
    def data(self) -> Path:
        return self.path / "data.zarr"

    @property
    def commits(self) -> Path:
        return self.path / "commits"

    @property
    def staging(self) -> Path:
        return self.path / "staging"

    @property
    def events(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def train(self) -> Path:
        return self.path / "train"

    @property
    def model_card(self) -> Path:
        """What must be known to use the model: axis and units, its hash, how it was trained, its calibration; JSON."""
        return self.train / "model.json"

    @property
    def model(self) -> Path:
        return self.train / "model.keras"

    @property
    def evaluate(self) -> Path:
        return self.path / "evaluate"

    @property
    def analyze(self) -> Path:
        return self.path / "analyze"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def slurm(self) -> Path:
        return self.path / "slurm"

    @property
    def search(self) -> Path:
        return self.path / "search"

    @property
    def report(self) -> Path:
        return self.path / "report.html"


def open_run(path: Path) -> tuple[RunDirectory, JobFile]:
    """An existing run and its job. Raises UsageError where there is none."""
    run = RunDirectory(path)
    if not run.job.is_file():
        raise UsageError("no run here (job.toml is missing)", where=str(path), try_="xpshpc run jobs/demo.toml")
    tables = tomllib.loads(run.job.read_text())
    return run, validate_job(tables, where=str(run.job), folder=path.resolve())


def write_atomically(path: Path, data: bytes) -> None:
    """Replaces a file so that a reader, or a crash, sees the old bytes or the new ones and nothing between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Makes renames and links inside a directory durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def alone_in(folder: Path, doing: str) -> Iterator[None]:
    """Locks a folder of a run for the one process that works in it. Raises UsageError if another holds the lock,
    EnvironmentFault if that is of this very SLURM job, started twice by a controller that lost its memory.

    The lock is one of a file, not of the folder: network file systems lock only what may be written, and keep the lock
    across hosts. It goes with the process, however it ends; ranks are tethered to it and end as well. The owner's name
    in the file is for the message only.
    """
    job = os.environ.get("SLURM_JOB_ID")
    with (folder / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.readline(200).strip()
            by = f" ({owner})" if owner else ""
            if job and owner.endswith(f", job {job}"):
                raise EnvironmentFault(
                    f"another start of this job is still {doing} this run{by}",
                    where=str(folder),
                    try_="the same command again, in some minutes",
                ) from None
            raise UsageError(
                f"another process is {doing} this run{by}", where=str(folder), try_=f"xpshpc status {folder.parent}"
            ) from None
        except OSError as error:
            raise EnvironmentFault(
                f"this file system locks no files: {error.strerror}", where=str(folder), try_="keep runs on another one"
            ) from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {socket.gethostname()}{f', job {job}' if job else ''}\n")
        lock.flush()
        yield


def save_job(run: RunDirectory, job_file: JobFile) -> None:
    """Writes the resolved job into the run; the same job leaves the file as it is."""
    text = tomli_w.dumps(job_file.resolved()).encode()
    if not run.job.is_file() or run.job.read_bytes() != text:
        write_atomically(run.job, text)
