"""The daemons of a cluster, one by one: each is on its record before it is waited for."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

from xpshpc.cluster.minislurm.daemon import (
    MARK,
    end_process,
    last_lines,
    listens,
    own_environment,
    start_daemon,
    wait_for_daemon,
)
from xpshpc.cluster.minislurm.layout import Layout
from xpshpc.cluster.minislurm.node import node_command, wait_for_namespace
from xpshpc.cluster.minislurm.record import Record, write_record
from xpshpc.cluster.minislurm.requirements import search_path
from xpshpc.errors import EnvironmentFault

MUNGED, CONTROLLER = "munged", "slurmctld"
KEY_BYTES = 128
ROOT_VARIABLE = "XPSHPC_MINISLURM"


def client_environment(layout: Layout) -> dict[str, str]:
    """What SLURM's commands need to find the cluster, and this program to know which one it is."""
    return {"SLURM_CONF": str(layout.slurm_conf), ROOT_VARIABLE: str(layout.root)}


def start_service(
    record: Record, name: str, command: Sequence[str], settings: Mapping[str, str] | None = None
) -> Record:
    """Starts a daemon by its name, with `settings` in its environment; its words go to the log of that name."""
    layout = record.layout
    marked = {**client_environment(layout), MARK: str(layout.root), "PATH": search_path(), **(settings or {})}
    process = start_daemon(command, own_environment(marked), layout.words(name))
    return write_record(record.with_process(name, process))


def end_service(record: Record, name: str) -> Record:
    """Kills a daemon, if it lives."""
    if name in record.processes:
        end_process(record.processes[name])
    return record.without_process(name)


def start_munged(record: Record) -> Record:
    """Starts the daemon that vouches for users, with a key of its own, and waits for its socket."""
    layout = record.layout
    layout.munge_key.touch(mode=0o600)
    layout.munge_key.write_bytes(secrets.token_bytes(KEY_BYTES))
    options = {
        "key-file": layout.munge_key,
        "socket": layout.munge_socket,
        "pid-file": layout.short / "munged.pid",
        "seed-file": layout.short / "munged.seed",
        "log-file": layout.log(MUNGED),
    }
    # It warns that strangers cannot come to the socket, which is what we want; without force it would not start.
    command = [
        "munged",
        "--foreground",
        "--force",
        "--num-threads=2",
        *(f"--{key}={path}" for key, path in options.items()),
    ]
    record = start_service(record, MUNGED, command)
    wait_for_daemon(
        record.processes[MUNGED], layout.munge_socket.is_socket, MUNGED, (layout.words(MUNGED), options["log-file"])
    )
    return record


def start_controller(record: Record) -> Record:
    """Starts slurmctld, and waits until it listens."""
    layout, addresses = record.layout, record.located
    record = start_service(record, CONTROLLER, ("slurmctld", "-D", "-f", str(layout.slurm_conf)))
    wait_for_daemon(
        record.processes[CONTROLLER],
        lambda: listens(addresses.host_address, addresses.controller_port),
        CONTROLLER,
        (layout.words(CONTROLLER),),
    )
    return record


def start_node(record: Record, node: str) -> Record:
    """Boots a node, and does not wait until SLURM knows of it."""
    plan, layout = record.plan, record.layout
    record = start_service(record, node, node_command(node, plan.isolation, layout, record.network))
    if plan.isolation == "none":
        return record
    namespace = wait_for_namespace(record.processes[node])
    if namespace is None:
        raise EnvironmentFault(f"{node} ended by itself: {last_lines((layout.words(node),))}", try_="xpshpc doctor")
    return write_record(record.with_namespace(node, namespace))
