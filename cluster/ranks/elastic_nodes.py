"""The seats of an elastic gang on SLURM's nodes: one srun for the first ranks, a further one for each replacement."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from xpshpc.cluster.command import ask
from xpshpc.cluster.ranks.address import own_address
from xpshpc.cluster.ranks.launchers import end_families, rank_command, start_process
from xpshpc.cluster.ranks.leash import Leashes
from xpshpc.cluster.ranks.srun import fitting_job, judge_launch, srun_command, step_environment
from xpshpc.cluster.ranks.step import Step
from xpshpc.cluster.slurm.commands import SlurmRefused
from xpshpc.cluster.slurm.words import Verdict
from xpshpc.errors import EnvironmentFault, ExitCode, XpshpcError

_PAUSE_S = 2.0
_END_S = 10.0


@dataclass(eq=False)
class _Launch:
    """One srun, the seats it fills, and when it is given again because there was no place for it."""

    seats: tuple[int, ...]
    log: Path
    process: subprocess.Popen[bytes]
    again_at: float | None = None

    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


@dataclass(eq=False)
class NodeSeats:
    """Ranks on SLURM's nodes, held by leashes. `launch` starts an srun for a number of ranks, writing to a log."""

    step: Step
    inside: bool
    logs: Path
    leashes: Leashes
    launch: Callable[[Sequence[int], bool, Path], subprocess.Popen[bytes]]
    give_back: Callable[[], None]
    clock: Callable[[], float] = time.monotonic
    _launches: list[_Launch] = field(default_factory=list)
    _open: set[int] = field(default_factory=set)
    _draining: bool = False
    _begun: bool = False

    def __post_init__(self) -> None:
        self._deadline = self.clock() + self.step.patience_s

    @property
    def log(self) -> Path:
        return self.logs / "launcher.log"

    def start(self, seats: Sequence[int]) -> None:
        first = not self._launches
        for group in [tuple(seats)] if first else [(seat,) for seat in seats]:
            for seat in group:
                self.leashes.ranks.pop(seat, None)
            log = self.log if first else self.logs / f"launcher-{group[0]}.log"
            log.unlink(missing_ok=True)
            self._launches.append(_Launch(group, log, self.launch(group, first, log)))
            self._open |= set(group)

    def ended(self) -> dict[int, int]:
        self.leashes.attend()
        self._begun = self._begun or bool(self.leashes.ranks)
        codes = {
            seat: int(-signal.SIGKILL) if held.left is None else held.left
            for seat, held in self.leashes.ranks.items()
            if held.gone and seat in self._open
        }
        for launch in self._launches:
            empty = [seat for seat in launch.seats if seat in self._open and seat not in self.leashes.ranks]
            # An older launch may have had a seat that is now another's to fill.
            mine = [seat for seat in empty if self._latest(seat) is launch]
            if mine and launch.process.poll() is not None and not self._goes_again(launch):
                codes |= dict.fromkeys(mine, int(ExitCode.ENVIRONMENT))
        self._open -= codes.keys()
        return codes

    def running(self) -> bool:
        return bool(self._open)

    def drain(self) -> None:
        self._draining = True
        self.leashes.attend()
        self.leashes.drain()
        for launch in self._launches:
            if not any(seat in self.leashes.ranks for seat in launch.seats):
                launch.process.terminate()
        self._open &= self.leashes.ranks.keys()

    def kill(self, seat: int) -> None:
        launch = self._latest(seat)
        if seat in self.leashes.ranks:
            self.leashes.kill_one(seat)
        elif len(launch.seats) == 1:
            launch.process.terminate()
            self._open.discard(seat)

    def fault(self) -> XpshpcError | None:
        """Why no rank began."""
        if self._begun:
            return None
        launch = self._launches[0]
        said = launch.said()
        words = "\n".join(line for line in said.splitlines()[-6:] if line.strip())
        if judge_launch(launch.process.returncode or 0, said) is Verdict.REFUSED and "task" not in said:
            cure = fitting_job(self.step, len(launch.seats)) if self.inside else "the profile's partition and limits"
            return SlurmRefused(words, where="srun", try_=cure)
        return EnvironmentFault(
            f"no rank began: {words or 'no word from srun'}", where=str(self.log), try_="xpshpc doctor --on PROFILE"
        )

    def close(self) -> None:
        """Ends all ranks and their commands, and gives the allocations back."""
        self.leashes.kill()
        deadline = self.clock() + _END_S
        while self.clock() < deadline and self.leashes.held:
            self.leashes.attend()
            time.sleep(0.02)
        processes = [launch.process for launch in self._launches]
        for process in processes:
            if process.poll() is None:
                process.terminate()
        while self.clock() < deadline and any(process.poll() is None for process in processes):
            time.sleep(0.02)
        end_families(processes)
        self.leashes.close()
        if any(process.returncode != 0 for process in processes):
            self.give_back()

    def _latest(self, seat: int) -> _Launch:
        return next(launch for launch in reversed(self._launches) if seat in launch.seats)

    def _goes_again(self, launch: _Launch) -> bool:
        """Whether an srun that began nothing is given again: the first for a while, one for a replacement always.

        A gang that goes on without a rank can wait for a place for it as long as it takes.
        """
        again = judge_launch(launch.process.returncode or 0, launch.said()) is Verdict.AGAIN
        patient = self._begun or self.clock() + _PAUSE_S < self._deadline
        if self._draining or not patient or not (again or self._begun):
            return False
        if launch.again_at is None:
            launch.again_at = self.clock() + _PAUSE_S
        elif self.clock() >= launch.again_at:
            launch.again_at = None
            launch.log.unlink(missing_ok=True)
            launch.process = self.launch(launch.seats, launch is self._launches[0], launch.log)
        return True


@contextmanager
def open_node_seats(
    step: Step, environment: Mapping[str, str], logs: Path, module: str, arguments: Sequence[str]
) -> Iterator[NodeSeats]:
    """Seats on SLURM's nodes. Raises EnvironmentFault where srun is missing or nothing can listen."""
    if shutil.which("srun") is None:
        raise EnvironmentFault("srun is not installed", where="PATH", try_="xpshpc doctor, or another profile")
    inside = "SLURM_JOB_ID" in environment
    job_name = f"{module.replace('.', '-')}-{secrets.token_hex(4)}"
    rank = [step.python or sys.executable, *rank_command(0, logs.absolute(), module, arguments)[1:]]
    leashes = Leashes(own_address(step.interface))
    own = {**step_environment(environment, inside=inside), **leashes.environment, "HOROVOD_CONTROLLER": "gloo"}
    alone = replace(step, nodes=1, ranks_per_node=1)

    def launch(seats: Sequence[int], first: bool, log: Path) -> subprocess.Popen[bytes]:
        words = srun_command(
            step if first else alone,
            len(seats),
            mpi="none",
            inside=inside,
            job_name=job_name,
            command=rank,
            outlive=True,
        )
        # SIGTERM, not SIGKILL, when this process dies: srun then gives its allocation back.
        tether = [sys.executable, "-P", "-m", "xpshpc.cluster.tether", "--signal=TERM", str(os.getpid())]
        return start_process([*tether, *words], own if first else {**own, "XPSHPC_SEAT": str(seats[0])}, log)

    def give_back() -> None:
        if not inside:
            ask(["scancel", "--me", f"--name={job_name}"], timeout_s=_END_S)

    seats = NodeSeats(step, inside, logs, leashes, launch, give_back)
    try:
        yield seats
    finally:
        seats.close()
