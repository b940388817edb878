"""One coordinator a run: whoever holds the highest-numbered lease file owns the run.

Taking over means linking the next number, which exactly one contender can do; no lease is removed to make room for
another, so there is no moment at which two can believe they hold it. On its own host a dead owner is known by its
process, on another host by its silence, read off the file system's own clock. The commit protocol does not depend on
the lease: a run with two coordinators would waste work and lose nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from xpshpc.cluster.process import ProcessId, is_alive, this_process
from xpshpc.errors import EnvironmentFault, UsageError
from xpshpc.run_directory import RunDirectory, write_atomically

EXPIRES_S = 300.0
BEAT_S = 10.0


@dataclass(frozen=True)
class Owner:
    """Who coordinates a run, since when (seconds since the epoch), and whether it has given the run back."""

    host: str
    pid: int
    born: int
    since: float
    job_id: str = ""
    released: bool = False

    @property
    def process(self) -> ProcessId:
        return ProcessId(self.host, self.pid, self.born)

    def __str__(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        job = f", job {self.job_id}" if self.job_id else ""
        return f"process {self.pid} on {self.host}{job}, since {since}"


@dataclass
class Lease:
    """A lease that is held. `beat` keeps it; other hosts take the run over after `EXPIRES_S` without one."""

    folder: Path
    generation: int
    owner: Owner
    monotonic: Callable[[], float] = time.monotonic
    _beaten: float = float("-inf")

    def beat(self) -> None:
        """Says that the owner lives. Raises EnvironmentFault if another coordinator has taken the run over."""
        now = self.monotonic()
        if now - self._beaten < BEAT_S:
            return
        self._beaten = now
        if _highest(self.folder) != self.generation:
            raise EnvironmentFault(
                "another coordinator has taken this run over; this one was silent for too long",
                where=str(self.folder.parent),
                try_=f"xpshpc status {self.folder.parent}",
            )
        os.utime(_file(self.folder, self.generation))

    def release(self) -> None:
        """Gives the run back. A full disk keeps the file as it is: the owner's death says the same."""
        with contextlib.suppress(OSError):
            write_atomically(_file(self.folder, self.generation), _encode(replace(self.owner, released=True)))


@contextlib.contextmanager
def hold_lease(run: RunDirectory, clock: Callable[[], float] = time.time) -> Iterator[Lease]:
    """Owns a run for the time of a block. Raises UsageError naming the owner if another process coordinates it."""
    lease = take_lease(run, _self(clock))
    try:
        yield lease
    finally:
        lease.release()


def take_lease(run: RunDirectory, owner: Owner) -> Lease:
    """Takes a run that nobody owns, or whose owner is dead or silent. Raises UsageError as `hold_lease`."""
    folder = run.path / "lease"
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        generation = _highest(folder)
        other = _read(folder, generation)
        if other is not None and _holds(folder, generation, other):
            raise UsageError(
                f"this run is being worked on by {other}",
                where=str(run.path),
                try_=f"xpshpc status {run.path}; or stop that process first",
            )
        if not _link(folder, generation + 1, owner):
            continue
        if _highest(folder) == generation + 1:
            for older in _generations(folder):
                if older <= generation:
                    _file(folder, older).unlink(missing_ok=True)
            return Lease(folder, generation + 1, owner)
        _file(folder, generation + 1).unlink(missing_ok=True)


def read_owner(run: RunDirectory) -> tuple[Owner, bool] | None:
    """The last owner of a run, and whether it still holds it; None if no one ever did. Changes nothing."""
    folder = run.path / "lease"
    generation = _highest(folder)
    owner = _read(folder, generation)
    if owner is None:
        return None
    age = time.time() - _file(folder, generation).stat().st_mtime
    alive = is_alive(owner.process) if owner.process.is_local else age < EXPIRES_S
    return owner, alive and not owner.released


def _self(clock: Callable[[], float]) -> Owner:
    process = this_process()
    return Owner(process.host, process.pid, process.born, clock(), os.environ.get("SLURM_JOB_ID", ""))


def _holds(folder: Path, generation: int, owner: Owner) -> bool:
    if owner.released:
        return False
    if owner.process.is_local:
        return is_alive(owner.process)
    probe = folder / f".{os.getpid()}.clock"
    probe.touch()
    try:
        return probe.stat().st_mtime - _file(folder, generation).stat().st_mtime < EXPIRES_S
    except FileNotFoundError:
        return True  # someone took over just now: look again
    finally:
        probe.unlink()


def _link(folder: Path, generation: int, owner: Owner) -> bool:
    temporary = folder / f".{owner.host}.{owner.pid}.{threading.get_ident()}.tmp"
    temporary.write_bytes(_encode(owner))
    try:
        os.link(temporary, _file(folder, generation))
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    return True


def _encode(owner: Owner) -> bytes:
    return json.dumps(asdict(owner)).encode() + b"\n"


def _read(folder: Path, generation: int) -> Owner | None:
    try:
        return Owner(**json.loads(_file(folder, generation).read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _highest(folder: Path) -> int:
    return max(_generations(folder), default=0)


def _generations(folder: Path) -> list[int]:
    try:
        return [int(file.stem) for file in folder.iterdir() if file.suffix == ".json" and file.stem.isdecimal()]
    except FileNotFoundError:
        return []


def _file(folder: Path, generation: int) -> Path:
    return folder / f"{generation:06d}.json"
