"""Ranks on SLURM's nodes, started by srun or by mpirun and held by leashes: one gang, however its command ends."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from xpshpc.cluster.command import ask
from xpshpc.cluster.ranks.address import own_address
from xpshpc.cluster.ranks.launchers import (
    end_families,
    mpirun_nodes_command,
    rank_command,
    read_mpirun_words,
    start_process,
)
from xpshpc.cluster.ranks.leash import Leashes
from xpshpc.cluster.ranks.rendezvous import open_rendezvous
from xpshpc.cluster.ranks.srun import (
    fitting_job,
    gloo_meeting,
    judge_launch,
    read_fate,
    read_srun_exit,
    srun_command,
    step_environment,
)
from xpshpc.cluster.ranks.step import Step
from xpshpc.cluster.slurm.commands import SlurmRefused
from xpshpc.cluster.slurm.words import Verdict
from xpshpc.errors import EnvironmentFault, ExitCode, XpshpcError

NodeLauncher = Literal["srun-gloo", "srun-pmix", "mpirun"]

_NOT_THE_CAUSE = (None, ExitCode.DONE, ExitCode.DRAINED, ExitCode.RANK_LOST)
_PAUSE_S = 2.0
_WORDS_S = 5.0
_END_S = 10.0


@dataclass(eq=False)
class LeashedGang:
    """Ranks on other nodes and the one command that started them, which is given again while no rank has begun."""

    command: str
    ranks: int
    leashes: Leashes
    log: Path
    patience_s: float
    start: Callable[[], subprocess.Popen[bytes]]
    read_exit: Callable[[str, int], dict[int, int]]
    give_back: Callable[[], None]
    cure: str
    clock: Callable[[], float] = time.monotonic
    _lost: tuple[int, ...] = ()
    _asked: bool = False
    _called_off: bool = False
    _again_at: float | None = None
    _ended: bool = False

    def __post_init__(self) -> None:
        self._deadline = self.clock() + self.patience_s
        self._process = self.start()

    def running(self) -> bool:
        """Whether the gang's command runs, or will be given again."""
        self.leashes.attend()
        if self._process.poll() is None:
            return True
        self.leashes.attend()
        return not self.leashes.ranks and self._goes_again()

    def failing(self) -> bool:
        """Whether a rank was lost, or left with anything but success or in good order."""
        return any(self._is_bad(number) for number in self.leashes.ranks)

    def drain(self) -> None:
        """Asks the ranks to stop; where none has begun yet, the command is ended instead."""
        self._asked = True
        self.leashes.attend()
        self.leashes.drain()
        self._called_off = not self.leashes.anybody
        if self._called_off:
            self._process.terminate()

    def exit_codes(self) -> dict[int, int]:
        """What each rank that ended by itself said, or what the command says of it; one without a word was killed."""
        over = self._process.poll() is not None
        self.leashes.attend()
        told = self.leashes.ranks
        if self._called_off or (self._asked and not told):
            # Ranks that came after that were ended before they had anything to write.
            return {0: int(ExitCode.DRAINED)}
        lost = [number for number, rank in told.items() if rank.left is None and (rank.gone or over)]
        left = {number: rank.left for number, rank in told.items() if rank.left is not None}
        self._end()
        heard = self.read_exit(self._said(), self.ranks)
        # Where the command names a rank that failed first, the others were lost by its ending of them.
        named = [number for number in lost if heard.get(number)]
        failed = any(heard.get(number) for number, code in left.items() if code not in _NOT_THE_CAUSE)
        self._lost = tuple(named or ([] if failed else lost))
        killed = dict.fromkeys(self._lost, -int(signal.SIGKILL))
        # Of ranks that were well until this end, the command tells how we ended them.
        ended = {rank: code for rank, code in heard.items() if code and (rank in killed or rank not in told)}
        codes = killed | ended | left
        if not any(codes.values()) and not told:
            return {0: self._process.returncode}
        return codes

    def fault(self) -> XpshpcError | None:
        """What the cluster did, where it and not a rank is the cause. For a gang that has ended, with failures."""
        said = self._said()
        words = "\n".join(line for line in said.splitlines()[-6:] if line.strip())
        fate = read_fate(said)
        if fate is not None:
            return EnvironmentFault(
                f"SLURM ended the ranks: {fate}\n{words}", where=str(self.log), try_="the same command again"
            )
        told = self.leashes.ranks
        if not told and not self._asked:
            refused = judge_launch(self._process.returncode, said) is Verdict.REFUSED and "task" not in said
            if refused and self.command == "srun":
                return SlurmRefused(words, where=self.command, try_=self.cure)
            return EnvironmentFault(
                f"no rank began: {words or 'no word from ' + self.command}",
                where=str(self.log),
                try_="xpshpc doctor --on PROFILE",
            )
        heard = self.read_exit(said, self.ranks)
        explained = any(map(heard.get, self._lost)) or any(rank.left not in _NOT_THE_CAUSE for rank in told.values())
        silent = [] if explained else [told[rank] for rank in self._lost]
        if silent:
            first = silent[0]
            return EnvironmentFault(
                f"rank {first.rank} of {self.ranks} on {first.host} was lost, with its node or with {self.command}",
                where=str(self.log),
                try_="the same command again",
            )
        return None

    def close(self) -> None:
        """Ends what is left of the gang, and gives the allocation back."""
        self._end()
        self.leashes.close()
        if self._process.returncode != 0:
            self.give_back()

    def _is_bad(self, number: int) -> bool:
        rank = self.leashes.ranks[number]
        return (rank.gone and rank.left is None) or rank.left not in (None, 0, ExitCode.DRAINED)

    def _goes_again(self) -> bool:
        now = self.clock()
        if self._again_at is None:
            again = judge_launch(self._process.returncode, self._said()) is Verdict.AGAIN
            if self._asked or self._ended or not again or now + _PAUSE_S > self._deadline:
                return False
            self._again_at = now + _PAUSE_S
        elif now >= self._again_at:
            self._again_at = None
            self._process = self.start()
        return True

    def _end(self) -> None:
        """Waits for the command to tell how its ranks ended, ends those that are left, then the command itself."""
        if self._ended:
            return
        self._ended = True
        if self.failing():
            self._wait(_WORDS_S)
        self.leashes.kill()
        self._wait(_WORDS_S if self.leashes.ranks else 0)
        if self._process.poll() is None:
            self._process.terminate()
            self._wait(_END_S)
        end_families([self._process])

    def _wait(self, seconds: float) -> None:
        deadline = self.clock() + seconds
        while self.clock() < deadline and (self._process.poll() is None or self.leashes.held):
            self.leashes.attend()
            time.sleep(0.02)

    def _said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


@contextmanager
def start_on_nodes(
    launcher: NodeLauncher,
    step: Step,
    ranks: int,
    environment: Mapping[str, str],
    logs: Path,
    module: str,
    arguments: Sequence[str],
) -> Iterator[LeashedGang]:
    """Starts a gang on SLURM's nodes. Raises EnvironmentFault where the command is missing or nothing can listen."""
    program = "mpirun" if launcher == "mpirun" else "srun"
    if shutil.which(program) is None:
        raise EnvironmentFault(f"{program} is not installed", where="PATH", try_="xpshpc doctor, or another profile")
    inside = "SLURM_JOB_ID" in environment
    if launcher == "mpirun" and not inside:
        raise EnvironmentFault(
            "mpirun reaches other nodes only inside an allocation", where="SLURM_JOB_ID", try_="xpshpc submit"
        )
    address = own_address(step.interface)
    job_name = f"{module.replace('.', '-')}-{secrets.token_hex(4)}"
    log = logs / "launcher.log"
    rank = [step.python or sys.executable, *rank_command(0, logs.absolute(), module, arguments)[1:]]
    if launcher == "mpirun":
        words = mpirun_nodes_command(ranks, step.ranks_per_node, interface=step.interface, root=os.geteuid() == 0)
        command = [*words, *rank]
    else:
        mpi: Literal["none", "pmix"] = "none" if launcher == "srun-gloo" else "pmix"
        command = srun_command(step, ranks, mpi=mpi, inside=inside, job_name=job_name, command=rank)
    # SIGTERM, not SIGKILL, when this process dies: srun then gives its allocation back.
    tether = [sys.executable, "-P", "-m", "xpshpc.cluster.tether", "--signal=TERM", str(os.getpid())]

    def give_back() -> None:
        if not inside:
            ask(["scancel", "--me", f"--name={job_name}"], timeout_s=_END_S)

    with ExitStack() as stack:
        leashes = Leashes(address)
        stack.callback(leashes.close)
        # mpirun reads from SLURM's variables which nodes it has.
        own = dict(environment) if launcher == "mpirun" else step_environment(environment, inside=inside)
        joined = {**own, **leashes.environment}
        if not inside:
            joined["XPSHPC_LEASH_JOB"] = job_name
        if launcher == "srun-gloo":
            port = stack.enter_context(open_rendezvous(address))
            joined |= gloo_meeting(address, port, step.interface)
        else:
            joined |= {"HOROVOD_CONTROLLER": "mpi", "HOROVOD_CPU_OPERATIONS": "mpi"}
            if step.interface is not None:
                joined["OMPI_MCA_btl_tcp_if_include"] = step.interface

        def start() -> subprocess.Popen[bytes]:
            log.unlink(missing_ok=True)
            return start_process([*tether, *command], joined, log)

        gang = LeashedGang(
            program,
            ranks,
            leashes,
            log,
            step.patience_s,
            start,
            read_mpirun_words if launcher == "mpirun" else read_srun_exit,
            give_back,
            fitting_job(step, ranks) if inside else "the profile's partition, account, QOS and limits",
        )
        stack.callback(gang.close)
        yield gang
