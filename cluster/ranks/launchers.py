"""Two ways to start the ranks of one host: each by itself, joined by Gloo, or all by mpirun; and what ranks inherit."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from xpshpc.cluster.ranks.address import LOOPBACK
from xpshpc.cluster.ranks.elastic_roster import ROSTER_VARIABLES
from xpshpc.cluster.ranks.leash import LEASH_VARIABLES
from xpshpc.cluster.ranks.rank import RANK_VARIABLES
from xpshpc.cluster.ranks.rendezvous import open_rendezvous
from xpshpc.errors import EnvironmentFault, ExitCode, XpshpcError

GLOO_TIMEOUT_S = 300

_LAUNCH_PREFIXES = ("OMPI_", "PMIX_", "PMI_", "PRTE_", "HOROVOD_GLOO_", "HOROVOD_LOCAL_", "HOROVOD_CROSS_")
_LAUNCH_NAMES = {
    *RANK_VARIABLES,
    *LEASH_VARIABLES,
    *ROSTER_VARIABLES,
    "HOROVOD_SIZE",
    "HOROVOD_HOSTNAME",
    "HOROVOD_CONTROLLER",
    "HOROVOD_CPU_OPERATIONS",
}
_MPI_SETTINGS = ("OMPI_MCA_",)
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
_MPIRUN_SIGNAL = re.compile(r"process rank (\d+) [^\n]*?exited on\s+signal (\d+)")
_MPIRUN_EXIT = re.compile(r"Process name: \[\[\d+,\d+\],(\d+)\]\s+Exit code:\s+(\d+)")


class StartedGang(Protocol):
    """Ranks that were started together, however and wherever. `log` is the launch's own."""

    @property
    def log(self) -> Path: ...

    def running(self) -> bool:
        """Whether any of it still runs."""
        ...

    def failing(self) -> bool:
        """Whether a rank ended otherwise than well or in good order."""
        ...

    def drain(self) -> None:
        """Asks the ranks to stop in good order."""
        ...

    def exit_codes(self) -> dict[int, int]:
        """The codes of the ranks that have ended by themselves (negative: a signal)."""
        ...

    def fault(self) -> XpshpcError | None:
        """What, other than a rank, made the gang fail."""
        ...


@dataclass(frozen=True)
class LocalGang:
    """Processes of this host, the signal that asks their ranks to stop, and who knows the ranks' exit codes."""

    processes: Sequence[subprocess.Popen[bytes]]
    drain_signal: signal.Signals
    read_codes: Callable[[], dict[int, int]]
    log: Path

    def running(self) -> bool:
        # Every one of them is asked, so that all return codes are known.
        return None in [process.poll() for process in self.processes]

    def failing(self) -> bool:
        return any(process.returncode not in (None, 0, ExitCode.DRAINED) for process in self.processes)

    def drain(self) -> None:
        for process in self.processes:
            process.send_signal(self.drain_signal)

    def exit_codes(self) -> dict[int, int]:
        return self.read_codes()

    def fault(self) -> XpshpcError | None:
        return None


def rank_environment(own: Mapping[str, str], more: Mapping[str, str], threads: int) -> dict[str, str]:
    """The environment of a rank: no trace of an outer launch, `threads` threads, unbuffered output.

    OpenMPI's settings are a site's, unless this process is a rank itself: then its launcher has made them.
    """
    kept = () if "OMPI_COMM_WORLD_RANK" in own else _MPI_SETTINGS
    inherited = {
        name: value
        for name, value in own.items()
        if name not in _LAUNCH_NAMES and (name.startswith(kept) or not name.startswith(_LAUNCH_PREFIXES))
    }
    return {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **inherited,
        **dict.fromkeys(_THREAD_VARIABLES, str(threads)),
        "TF_NUM_INTEROP_THREADS": "1",
        "KERAS_BACKEND": "tensorflow",
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
        **more,
    }


def gloo_place(rank: int, ranks: int, port: int) -> dict[str, str]:
    """Horovod's variables for one rank of this host."""
    return {
        "HOROVOD_HOSTNAME": "localhost",
        "HOROVOD_RANK": str(rank),
        "HOROVOD_SIZE": str(ranks),
        "HOROVOD_LOCAL_RANK": str(rank),
        "HOROVOD_LOCAL_SIZE": str(ranks),
        "HOROVOD_CROSS_RANK": "0",
        "HOROVOD_CROSS_SIZE": "1",
        "HOROVOD_CONTROLLER": "gloo",
        "HOROVOD_CPU_OPERATIONS": "gloo",
        "HOROVOD_GLOO_RENDEZVOUS_ADDR": LOOPBACK,
        "HOROVOD_GLOO_RENDEZVOUS_PORT": str(port),
        "HOROVOD_GLOO_IFACE": "lo",
        "HOROVOD_GLOO_TIMEOUT_SECONDS": str(GLOO_TIMEOUT_S),
    }


def mpirun_command(ranks: int, *, root: bool) -> list[str]:
    """mpirun for ranks of this host alone: no scheduler's allocation, no network, cores shared as they come."""
    command = ["mpirun", "-np", str(ranks), "--host", f"localhost:{ranks}", "--oversubscribe", "--bind-to", "none"]
    if root:
        command.append("--allow-run-as-root")
    for name, value in (
        ("ras", "^slurm"),
        ("plm", "isolated"),
        ("oob_tcp_if_include", "lo"),
        ("btl", "self,vader"),
        ("btl_vader_single_copy_mechanism", "none"),
        ("mpi_yield_when_idle", "1"),
    ):
        command += ["--mca", name, value]
    return command


def mpirun_nodes_command(ranks: int, ranks_per_node: int, *, interface: str | None, root: bool) -> list[str]:
    """mpirun for ranks on the nodes of SLURM's allocation, where it has srun start its daemons."""
    command = ["mpirun", "-np", str(ranks), "--map-by", f"ppr:{ranks_per_node}:node", "--bind-to", "none"]
    command.append("--oversubscribe")
    if root:
        command.append("--allow-run-as-root")
    settings = {"plm": "slurm", "btl_vader_single_copy_mechanism": "none"}
    if interface is not None:
        settings |= {"oob_tcp_if_include": interface, "btl_tcp_if_include": interface}
    for name, value in settings.items():
        command += ["--mca", name, value]
    return command


def rank_command(parent: int, logs: Path, module: str, arguments: Sequence[str]) -> list[str]:
    """One rank's command line; `parent` 0 leaves its parent's process id open."""
    return [sys.executable, "-P", "-m", "xpshpc.cluster.ranks.rank", str(parent), str(logs), module, *arguments]


def read_mpirun_words(said: str, ranks: int) -> dict[int, int]:
    """The exit codes (negative: a signal) that mpirun told of; 0 for the ranks of which it said nothing."""
    codes = dict.fromkeys(range(ranks), 0)
    for rank, number in _MPIRUN_EXIT.findall(said):
        codes[int(rank)] = int(number)
    for rank, number in _MPIRUN_SIGNAL.findall(said):
        codes[int(rank)] = -int(number)
    return codes


def read_mpirun_exit(said: str, code: int, ranks: int) -> dict[int, int]:
    """Each rank's exit code (negative: a signal) from what mpirun printed and its own exit code."""
    codes = read_mpirun_words(said, ranks)
    return {**codes, 0: code} if code and not any(codes.values()) else codes


@contextmanager
def start_gloo(
    ranks: int, environment: Mapping[str, str], logs: Path, module: str, arguments: Sequence[str]
) -> Iterator[LocalGang]:
    """Starts each rank as a process of its own session."""
    processes: list[subprocess.Popen[bytes]] = []
    command = rank_command(os.getpid(), logs, module, arguments)
    log = logs / "launcher.log"
    log.unlink(missing_ok=True)

    def exit_codes() -> dict[int, int]:
        codes = ((rank, process.poll()) for rank, process in enumerate(processes))
        return {rank: code for rank, code in codes if code is not None}

    with open_rendezvous(LOOPBACK) as port:
        try:
            for rank in range(ranks):
                processes.append(start_process(command, {**environment, **gloo_place(rank, ranks, port)}, log))
            yield LocalGang(processes, signal.SIGTERM, exit_codes, log)
        finally:
            end_families(processes)


@contextmanager
def start_mpirun(
    ranks: int, environment: Mapping[str, str], logs: Path, module: str, arguments: Sequence[str]
) -> Iterator[LocalGang]:
    """Starts mpirun. It passes SIGUSR1 on to its ranks; at SIGTERM it would kill them within a second."""
    if shutil.which("mpirun") is None:
        raise EnvironmentFault("mpirun is not installed", where="PATH", try_="xpshpc doctor, or launcher gloo")
    tether = [sys.executable, "-P", "-m", "xpshpc.cluster.tether", str(os.getpid())]
    command = [*tether, *mpirun_command(ranks, root=os.geteuid() == 0), *rank_command(0, logs, module, arguments)]
    log = logs / "launcher.log"
    log.unlink(missing_ok=True)
    process = start_process(command, {**environment, "HOROVOD_CONTROLLER": "mpi", "HOROVOD_CPU_OPERATIONS": "mpi"}, log)

    def exit_codes() -> dict[int, int]:
        return read_mpirun_exit(log.read_text(errors="replace"), process.wait(), ranks)

    try:
        yield LocalGang([process], signal.SIGUSR1, exit_codes, log)
    finally:
        end_families([process])


def start_process(command: list[str], environment: Mapping[str, str], output: Path) -> subprocess.Popen[bytes]:
    """Starts a process in a session of its own, without input, its words appended to a file."""
    with output.open("ab") as log:
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


def end_families(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Kills processes and all they started, and waits until none is left."""
    families: list[psutil.Process] = []
    for process in processes:
        try:
            families += psutil.Process(process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            continue
    for process in processes:
        if process.poll() is None:
            process.kill()
    for process in processes:
        process.wait()
    for relative in families:
        try:
            relative.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(families, timeout=10)
