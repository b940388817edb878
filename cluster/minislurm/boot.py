"""The order in which a one-machine SLURM comes up, and goes: each step is on record before the next one."""

from __future__ import annotations

import os
import pwd
import re
import secrets
import socket
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from random import Random

from xpshpc.cluster.minislurm import configuration
from xpshpc.cluster.minislurm.configuration import Addresses
from xpshpc.cluster.minislurm.daemon import (
    end_process,
    last_lines,
    marked_processes,
    wait_for_daemon,
    wait_until,
)
from xpshpc.cluster.minislurm.database import start_accounting
from xpshpc.cluster.minislurm.layout import lay_out, make_folders, occupied, remove_folders
from xpshpc.cluster.minislurm.network import Network, build_network, claim_network, remove_network
from xpshpc.cluster.minislurm.node import end_node
from xpshpc.cluster.minislurm.plan import ClusterPlan
from xpshpc.cluster.minislurm.ports import held_ports
from xpshpc.cluster.minislurm.query import node_start, node_states, resume_node, retire_node
from xpshpc.cluster.minislurm.record import Record, locked, read_record, remove_record, write_record
from xpshpc.cluster.minislurm.requirements import check_requirements
from xpshpc.cluster.minislurm.services import CONTROLLER, MUNGED, start_controller, start_munged, start_node
from xpshpc.cluster.process import is_alive
from xpshpc.errors import EnvironmentFault, UsageError

LOOPBACK = "127.0.0.1"
STARTS = 4
USABLE = ("idle", "mixed", "allocated", "completing")
_WRITABLE_IN_A_CONFIGURATION = re.compile(r"[\w.+/-]+", re.ASCII)
_CLASH = "Address already in use"
_SECOND = "%Y-%m-%dT%H:%M:%S"


def start_cluster(root: Path, plan: ClusterPlan) -> Record:
    """The record of the cluster at `root`, an absolute path: of the one that runs, or of a new one.

    Raises EnvironmentFault, with nothing left behind; UsageError where a cluster of another plan runs.
    """
    check_requirements(plan)
    if not _WRITABLE_IN_A_CONFIGURATION.fullmatch(str(root)):
        raise UsageError(
            "SLURM's configuration cannot name this folder",
            where=str(root),
            try_="a path of letters, digits, . _ + - /",
        )
    with locked(root):
        there = read_record(root)
        if there is not None and is_running(there):
            if there.plan != plan:
                raise UsageError("a cluster of another plan runs here", where=str(root), try_="xpshpc cluster down")
            return there
        if there is not None:
            _remove(there)
        foreign = occupied(root)
        if foreign:
            raise UsageError(
                "this is not a cluster's", where=str(foreign[0]), try_="a folder of its own for the cluster"
            )
        try:
            return _start_in_spite_of_clashes(root, plan)
        except BaseException:
            remove_record(root)
            raise


def end_cluster(root: Path) -> None:
    """Ends and removes the cluster at `root`, or what is left of one; where there is none, nothing is done."""
    if read_record(root) is None:
        return
    with locked(root):
        record = read_record(root)
        if record is not None:
            _remove(record)
        remove_record(root)


def is_running(record: Record) -> bool:
    """Whether a cluster is up: it has once been whole, and the daemon without which nothing works lives."""
    munged = record.processes.get(MUNGED)
    return record.ready and munged is not None and is_alive(munged)


def wait_for_nodes(record: Record, nodes: Collection[str], *, resume: bool = False) -> None:
    """Waits until SLURM can use these nodes; `resume` lets it use again what it has given up. Or EnvironmentFault."""

    def all_usable() -> bool:
        for node in nodes:
            if not is_alive(record.processes[node]):
                raise EnvironmentFault(f"{node} ended by itself: {last_lines((record.layout.words(node),))}")
        states = node_states(record, nodes)
        waiting = [node for node, state in states.items() if state not in USABLE]
        for node in waiting if resume else ():
            resume_node(record, node, states[node])
        return states.keys() == set(nodes) and not waiting

    wait_until(all_usable, f"SLURM to use {', '.join(nodes)}")


def boot_again(record: Record, node: str) -> Record:
    """Boots a node that has lost its power, and waits until SLURM has heard of it; it is for the caller to resume it.

    Raises EnvironmentFault, at once where there is no controller.
    """
    controller = record.processes.get(CONTROLLER)
    if controller is None or not is_alive(controller):
        raise EnvironmentFault("no controller that could take the node back", where=node, try_="start it first")
    retire_node(record, node)
    before = node_start(record, node)
    wait_until(lambda: time.strftime(_SECOND) > before, "another second")
    record = start_node(record, node)
    words = (record.layout.words(node),)
    wait_for_daemon(record.processes[node], lambda: node_start(record, node) > before, node, words)
    return record


def _start_in_spite_of_clashes(root: Path, plan: ClusterPlan) -> Record:
    """Others may take a port between the moment it is let go for a daemon and the moment the daemon has it."""
    for _ in range(STARTS - 1):
        try:
            return _start(root, plan)
        except EnvironmentFault as fault:
            if _CLASH not in fault.what:
                raise
    return _start(root, plan)


def _start(root: Path, plan: ClusterPlan) -> Record:
    record = write_record(Record(plan=plan, layout=lay_out(root)))
    try:
        return _build(record)
    except BaseException:
        _remove(read_record(root) or record)
        raise


def _build(record: Record) -> Record:
    plan, random = record.plan, Random(secrets.randbits(64))
    make_folders(record.layout, plan.node_names, plan.gpus)
    address = LOOPBACK
    if plan.isolation == "net":
        network = claim_network(plan.node_names, random)
        record = write_record(record.with_network(network))
        build_network(network)
        address = network.address
    with held_ports(plan.nodes + 2, address, random) as ports:
        record = write_record(record.with_addresses(_find_addresses(plan, address, record.network, ports)))
        _configure(record)
    record = start_munged(record)
    if plan.accounting == "slurmdbd":
        record = start_accounting(record)
    record = start_controller(record)
    for node in plan.node_names:
        record = start_node(record, node)
    wait_for_nodes(record, plan.node_names)
    return write_record(record.as_ready())


def _find_addresses(plan: ClusterPlan, address: str, network: Network | None, ports: Sequence[int]) -> Addresses:
    controller, accounting, *others = ports
    return Addresses(
        host=socket.gethostname().split(".")[0],
        user=pwd.getpwuid(os.geteuid()).pw_name,
        host_address=address,
        controller_port=controller,
        accounting_port=accounting,
        node_addresses={node: network.node_address(node) if network else address for node in plan.node_names},
        node_ports=dict(zip(plan.node_names, others, strict=True)),
    )


def _configure(record: Record) -> None:
    plan, addresses, layout = record.plan, record.located, record.layout
    folder = layout.slurm_conf.parent
    layout.slurm_conf.write_text(configuration.slurm_conf(plan, addresses, layout))
    layout.hosts.write_text(configuration.hosts(addresses))
    layout.resolver.write_text(configuration.resolver())
    (folder / "gres.conf").write_text(configuration.gres_conf(plan, layout))
    (folder / "cgroup.conf").write_text(configuration.cgroup_conf())
    if plan.accounting == "slurmdbd":
        (folder / "slurmdbd.conf").touch(mode=0o600)
        (folder / "slurmdbd.conf").write_text(configuration.slurmdbd_conf(addresses, layout))


def _remove(record: Record) -> None:
    """Ends nodes, then the rest, then what was started and never came on record; then files and network."""
    for node in record.plan.node_names:
        end_node(node, record)
    for name in set(record.processes) - set(record.plan.node_names):
        end_process(record.processes[name])
    for process in marked_processes(record.layout.root):
        end_process(process)
    if record.network is not None:
        remove_network(record.network)
    remove_folders(record.layout)
