"""A node: slurmd in namespaces of its own, so that its end is a power cut for all that runs on it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from xpshpc.cluster.minislurm.daemon import end_process, environment_of, processes, wait_until
from xpshpc.cluster.minislurm.layout import Layout
from xpshpc.cluster.minislurm.network import Network
from xpshpc.cluster.minislurm.plan import Isolation
from xpshpc.cluster.minislurm.record import Record
from xpshpc.cluster.process import ProcessId, is_alive

# The shell stays as the first process of the node: it collects the orphans of tasks, which slurmd does not.
_BOOT = """
hostname "$1" && mount --bind "$2" /etc/hosts && mount -t tmpfs -o mode=1777 tmpfs /dev/shm || exit 1
if [ -n "$3" ] && [ -e /etc/resolv.conf ]; then mount --bind "$3" /etc/resolv.conf || exit 1; fi
shift 3
"$@"
exit
"""
_UNSHARE = ("unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc")
_SLURM = ("slurmd", "slurmstepd")


def node_command(node: str, isolation: Isolation, layout: Layout, network: Network | None) -> tuple[str, ...]:
    """The command that boots a node; it is the node's process, with whose SIGKILL everything on it dies."""
    slurmd = ("slurmd", "-D", "-b", "-N", node, "-f", str(layout.slurm_conf))
    if isolation == "none":
        return slurmd
    entered = ("nsenter", f"--net={network.namespace_file(node)}") if network else ()
    resolver = str(layout.resolver) if network else ""
    return (*entered, *_UNSHARE, "sh", "-c", _BOOT, "sh", node, str(layout.hosts), resolver, *slurmd)


def wait_for_namespace(process: ProcessId) -> str | None:
    """The name of the pid namespace that a node's process made for its children; None if it died before."""
    outside = _namespace(os.getpid())
    found: list[str] = []

    def is_made() -> bool:
        inside = _namespace(process.pid, "pid_for_children")
        if inside is not None and inside != outside:
            found.append(inside)
        return bool(found) or not is_alive(process)

    wait_until(is_made, "a node's namespaces")
    return found[0] if found else None


def end_node(node: str, record: Record) -> None:
    """Kills a node and everything on it, and waits until nothing of it is left."""
    process = record.processes.get(node)
    if process is not None:
        end_process(process)

    def is_empty() -> bool:
        members = node_processes(node, record)
        for member in members:
            end_process(member)
        return not members

    wait_until(is_empty, f"the end of {node}'s processes")


def node_processes(node: str, record: Record) -> tuple[ProcessId, ...]:
    """All processes on a node, slurmd's own included: members of its namespace, else those that slurmd started."""
    namespace = record.namespaces.get(node)
    if namespace is not None:
        return tuple(process for process in processes() if _namespace(process.pid) == namespace)
    if record.plan.isolation != "none":
        return ()
    wanted = {f"SLURM_CONF={record.layout.slurm_conf}".encode(), f"SLURMD_NODENAME={node}".encode()}
    log = record.layout.log(node)
    return tuple(
        process
        for process in processes()
        if wanted <= set(environment_of(process.pid)) or (_name(process.pid) in _SLURM and _has_open(process.pid, log))
    )


def tasks(members: Sequence[ProcessId]) -> tuple[ProcessId, ...]:
    """Those processes of a node that jobs started: neither SLURM's own nor the first of the namespace."""
    return tuple(process for process in members if _name(process.pid) not in _SLURM and not _is_first(process.pid))


def _namespace(pid: int, kind: str = "pid") -> str | None:
    try:
        return str(Path(f"/proc/{pid}/ns/{kind}").readlink())
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _is_first(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    inside = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
    return len(inside) > 1 and inside[-1] == "1"


def _has_open(pid: int, file: Path) -> bool:
    try:
        return any(str(entry.readlink()) == str(file) for entry in Path(f"/proc/{pid}/fd").iterdir())
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
