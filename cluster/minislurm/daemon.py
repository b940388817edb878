"""Daemons: started so that they outlive us, waited for, and ended by their recorded process."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from xpshpc.cluster.process import ProcessId, is_alive, kill_process, process_of
from xpshpc.errors import EnvironmentFault

MARK = "XPSHPC_MINISLURM_DAEMON"
"""Set for daemons alone, to their cluster's root; jobs have the environment of whoever submitted them."""
PATIENCE_S = 60.0
_POLL_S = 0.02
_STRAY = ("SLURM_", "SLURMD_", "SBATCH_", "SALLOC_", "SRUN_", "SQUEUE_", "SINFO_", "SACCT_", "SCANCEL_", "SCONTROL_")


def stray_variables(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Names of variables that would make SLURM's commands speak to another cluster, or otherwise than asked."""
    return tuple(name for name in environment if name.startswith(_STRAY))


def own_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without stray variables, and with `settings`."""
    stray = stray_variables(os.environ)
    return {**{name: text for name, text in os.environ.items() if name not in stray}, **settings}


def start_daemon(command: Sequence[str], environment: Mapping[str, str], output: Path) -> ProcessId:
    """Starts a program in a session of its own, its words appended to `output`.

    It is looked for on the PATH of its own `environment`. Raises EnvironmentFault.
    """
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(output), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    program = shutil.which(command[0], path=environment["PATH"]) or command[0]
    try:
        pid = os.posix_spawn(program, list(command), dict(environment), file_actions=actions, setsid=True)
    except OSError as error:
        raise EnvironmentFault(f"cannot be started: {error.strerror}", where=command[0], try_="xpshpc doctor") from None
    return process_of(pid)


def end_process(process: ProcessId) -> None:
    """Kills a process of this host, waits until it is gone, and collects it if it was our child."""
    kill_process(process)
    wait_until(lambda: not is_alive(process), f"the end of process {process.pid}")
    try:
        os.waitpid(process.pid, os.WNOHANG)
    except ChildProcessError:
        return


def wait_until(holds: Callable[[], bool], subject: str, *, patience_s: float = PATIENCE_S) -> None:
    """Waits until `holds`; raises EnvironmentFault, naming the subject, when the patience (seconds) is at its end."""
    end = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > end:
            raise EnvironmentFault(f"waited {patience_s:.0f} s in vain for {subject}", try_="xpshpc cluster down")
        time.sleep(_POLL_S)


def wait_for_daemon(process: ProcessId, holds: Callable[[], bool], subject: str, logs: Iterable[Path]) -> None:
    """Waits until `holds`; raises EnvironmentFault with the end of the daemon's log if it has died meanwhile."""

    def goes_on() -> bool:
        if holds():
            return True
        if not is_alive(process):
            raise EnvironmentFault(f"{subject} ended by itself: {last_lines(logs)}", try_="xpshpc doctor")
        return False

    wait_until(goes_on, subject)


def last_lines(logs: Iterable[Path], lines: int = 4) -> str:
    """The end of what was logged, as one text."""
    said = [line for log in logs if log.exists() for line in log.read_text(errors="replace").splitlines()]
    return " | ".join(said[-lines:]) or "it said nothing"


def listens(address: str, port: int) -> bool:
    """Whether something accepts connections at this TCP port."""
    with socket.socket() as trial:
        trial.settimeout(1)
        return trial.connect_ex((address, port)) == 0


def marked_processes(root: Path) -> tuple[ProcessId, ...]:
    """All daemons of the cluster at `root`, recorded or not."""
    mark = f"{MARK}={root}".encode()
    return tuple(process for process in processes() if mark in environment_of(process.pid))


def processes() -> tuple[ProcessId, ...]:
    """All processes of this host that are alive."""
    found = (process_of(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return tuple(process for process in found if process.born)


def environment_of(pid: int) -> tuple[bytes, ...]:
    """`NAME=value` of a process, as it was started; nothing for one that is gone or another user's."""
    try:
        return tuple(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ()
