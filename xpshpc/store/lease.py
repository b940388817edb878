"""One coordinator a run, and one a stage: whoever holds the highest-numbered lease file owns it.

Taking over means linking the next number, which exactly one contender can do; no lease is removed to make room for
another, so there is no moment at which two can believe they hold it. On its own host a dead owner is known by its
process, elsewhere by its SLURM job, and where neither tells by its silence: read off the file system's own clock first,
then watched for a while, for a clock may have been stepped. The commit protocol does not depend on the lease: a run
with two coordinators would waste work and lose nothing.
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

from xpshpc.errors import EnvironmentFault, UsageError
from xpshpc.run_directory import RunDirectory, write_atomically
from xpshpc.store.beats import BEAT_S, EXPIRES_S, beats, stamp_of
from xpshpc.store.owner import JobIsOver, Life, Owner, life_of, slurm_says_over, this_owner


@dataclass
class Lease:
    """A lease of a run or a stage that is held. `beat` keeps it; others take over after `EXPIRES_S` without one."""

    folder: Path
    generation: int
    owner: Owner
    run: RunDirectory
    monotonic: Callable[[], float] = time.monotonic
    _beaten: float = float("-inf")

    @property
    def is_ours(self) -> bool:
        """Whether no other coordinator has taken the run over."""
        return _highest(self.folder) == self.generation

    def beat(self) -> None:
        """Says that the owner lives. Raises EnvironmentFault if another coordinator has taken the run over."""
        now = self.monotonic()
        if now - self._beaten < BEAT_S:
            return
        self._beaten = now
        try:
            os.utime(_file(self.folder, self.generation))
        except FileNotFoundError:
            raise self._taken_over() from None
        if not self.is_ours:
            raise self._taken_over()

    def _taken_over(self) -> EnvironmentFault:
        return EnvironmentFault(
            "another process has taken this run over; this one was silent for too long",
            where=str(self.run.path),
            try_=f"xpshpc status {self.run.path}",
        )

    def release(self) -> None:
        """Gives the run back. A full disk keeps the file as it is: the owner's death says the same."""
        with contextlib.suppress(OSError):
            write_atomically(_file(self.folder, self.generation), _encode(replace(self.owner, released=True)))


@contextlib.contextmanager
def hold_lease(run: RunDirectory, stage: str = "", clock: Callable[[], float] = time.time) -> Iterator[Lease]:
    """Owns a run, or one `stage` of it, for the time of a block. Raises UsageError naming the owner if another does."""
    lease = take_lease(run, this_owner(clock()), stage=stage)
    try:
        yield lease
    finally:
        lease.release()


def take_lease(
    run: RunDirectory,
    owner: Owner,
    *,
    stage: str = "",
    job_is_over: JobIsOver = slurm_says_over,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Lease:
    """Takes a run that nobody owns, or whose owner is dead or silent. Raises UsageError as `hold_lease`.

    An owner elsewhere that seems silent is watched for `WATCH_S` more before it counts as dead. Raises EnvironmentFault
    where it is another start of the very job that asks, which will not last.
    """
    folder = lease_folder(run, stage)
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        generation = _highest(folder)
        other = _read(folder, generation)
        holds = False
        if other is not None:
            life = life_of(other, owner, job_is_over)
            holds = life is Life.LIVES or (life is Life.UNKNOWN and beats(_file(folder, generation), monotonic, sleep))
        if holds and other is not None and other.is_another_start_of(owner):
            raise EnvironmentFault(
                f"SLURM has started this job twice, and the first start may live yet: {other}",
                where=str(run.path),
                try_="the same command again, in some minutes",
            )
        if holds:
            raise UsageError(
                f"{f'the stage {stage} of ' if stage else ''}this run is being worked on by {other}",
                where=str(run.path),
                try_=f"xpshpc status {run.path}; or stop that process first",
            )
        if not _link(folder, generation + 1, owner):
            continue
        if _highest(folder) == generation + 1:
            for older in _generations(folder):
                if older <= generation:
                    _file(folder, older).unlink(missing_ok=True)
            return Lease(folder, generation + 1, owner, run)
        _file(folder, generation + 1).unlink(missing_ok=True)


def read_owner(
    run: RunDirectory, job_is_over: JobIsOver = lambda _: None, *, stage: str = ""
) -> tuple[Owner, bool] | None:
    """The last owner of a run, or of a stage, and whether it still holds it; None if no one ever did. Changes nothing.

    SLURM is asked only if `job_is_over` does so; by the clock, a beat from the far future is as stale as an old one.
    """
    folder = lease_folder(run, stage)
    generation = _highest(folder)
    owner = _read(folder, generation)
    stamp = stamp_of(_file(folder, generation))
    if owner is None or stamp is None:
        return None
    life = life_of(owner, this_owner(time.time()), job_is_over)
    fresh = abs(time.time() - stamp / 1e9) < EXPIRES_S
    return owner, life is Life.LIVES or (life is Life.UNKNOWN and fresh)


def lease_folder(run: RunDirectory, stage: str = "") -> Path:
    """Where the leases of a run are, or within it those of one stage that is worked on by itself."""
    return run.path / "lease" / stage if stage else run.path / "lease"


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
