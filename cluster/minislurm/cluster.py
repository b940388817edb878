"""A running one-machine SLURM: what clients need to reach it, and what an accident would do to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from xpshpc.cluster.command import Answer
from xpshpc.cluster.minislurm.boot import boot_again, end_cluster, is_running, start_cluster, wait_for_nodes
from xpshpc.cluster.minislurm.network import LINK_INSIDE, Network, set_link
from xpshpc.cluster.minislurm.node import end_node, node_processes, tasks
from xpshpc.cluster.minislurm.plan import ClusterPlan
from xpshpc.cluster.minislurm.query import ask_nodes, ask_slurm
from xpshpc.cluster.minislurm.record import Record, locked, read_record, write_record
from xpshpc.cluster.minislurm.services import (
    CONTROLLER,
    client_environment,
    end_service,
    start_controller,
)
from xpshpc.cluster.minislurm.status import ClusterStatus, NodeStatus, parse_jobs, parse_nodes
from xpshpc.cluster.process import ProcessId, is_alive
from xpshpc.errors import EnvironmentFault, UsageError


@dataclass(frozen=True)
class Cluster:
    """The cluster at `root`. Outside its nodes is `host_address`, as seen from them; `interface` is theirs.

    Several processes may hold the same cluster: what it consists of now is in its record alone.
    """

    root: Path
    plan: ClusterPlan
    environment: dict[str, str]
    host_address: str
    interface: str
    network: Network | None

    @property
    def nodes(self) -> tuple[str, ...]:
        return self.plan.node_names

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def run(self, *command: str, timeout_s: float = 60) -> Answer:
        """Runs a command beside the nodes, where a user would type it, with this cluster as its SLURM."""
        return ask_slurm(self._record(), *command, timeout_s=timeout_s)

    def down(self) -> None:
        """Ends everything at once, jobs included, and removes all files of the cluster."""
        end_cluster(self.root)

    def status(self) -> ClusterStatus:
        """Nodes and jobs as SLURM tells them; the nodes are unknown where the controller does not answer."""
        record = self._record()
        powered = {node for node in self.nodes if _lives(record, node)}
        # SLURM's commands ask a dead controller again and again, for a quarter of a minute.
        if _lives(record, CONTROLLER):
            nodes = ask_nodes(record)
            jobs = ask_slurm(record, "squeue", "--noheader", "--array", "--format=%i|%j|%T|%N|%r")
            if nodes.ok and jobs.ok:
                return ClusterStatus(True, parse_nodes(nodes.output, powered), parse_jobs(jobs.output))
        unknown = tuple(NodeStatus(node, "unknown", node in powered, "") for node in self.nodes)
        return ClusterStatus(False, unknown, ())

    def leftovers(self) -> tuple[ProcessId, ...]:
        """Processes that jobs started on the nodes and that still live."""
        record = self._record()
        return tuple(process for node in self.nodes for process in tasks(node_processes(node, record)))

    def kill_node(self, name: str) -> None:
        """Cuts a node's power: everything on it is gone at once, and SLURM has to find out. Raises UsageError."""
        self._check_node(name)
        self._change(lambda record: self._without(name, record))

    def start_node(self, name: str) -> None:
        """Boots a node again and lets SLURM use it; one that runs is left as it is.

        Raises EnvironmentFault, at once where there is no controller to take it.
        """
        self._check_node(name)

        def start(record: Record) -> Record:
            return record if _lives(record, name) else boot_again(self._without(name, record), name)

        self._change(start)
        wait_for_nodes(self._record(), (name,), resume=True)

    def cut_node(self, name: str) -> None:
        """Cuts a node's link: it runs on, but nobody hears of it. Needs isolation net, else UsageError."""
        set_link(self._link(name), name, "down")

    def mend_node(self, name: str) -> None:
        """Joins a node's link again, and waits until SLURM hears of the node. Needs isolation net, else UsageError."""
        set_link(self._link(name), name, "up")
        wait_for_nodes(self._record(), (name,), resume=True)

    def stop_controller(self) -> None:
        """Kills slurmctld (SIGKILL); jobs run on, but what it was told in its last seconds (5) is forgotten."""
        self._change(lambda record: end_service(record, CONTROLLER))

    def start_controller(self) -> None:
        """Starts slurmctld on the state the last one left, and waits until it answers; raises EnvironmentFault."""
        self._change(lambda record: record if _lives(record, CONTROLLER) else start_controller(record))

    def _record(self) -> Record:
        record = read_record(self.root)
        if record is None or not record.ready:
            raise EnvironmentFault("no cluster here any more", where=str(self.root), try_="xpshpc cluster up")
        return record

    def _change(self, change: Callable[[Record], Record]) -> None:
        if not self.root.is_dir():
            self._record()
        with locked(self.root):
            write_record(change(self._record()))

    def _without(self, node: str, record: Record) -> Record:
        end_node(node, record)
        return record.without_process(node)

    def _check_node(self, name: str) -> None:
        if name not in self.nodes:
            raise UsageError(f"there is no node {name!r}", where=str(self.root), try_=", ".join(self.nodes))

    def _link(self, name: str) -> Network:
        self._check_node(name)
        if self.network is None:
            raise UsageError(
                f"the nodes have no links of their own with isolation {self.plan.isolation}",
                where=str(self.root),
                try_="xpshpc cluster up --isolation net",
            )
        return self.network


def bring_up(root: Path, plan: ClusterPlan | None = None) -> Cluster:
    """Starts a cluster at `root` and returns when all its nodes are idle.

    One that already runs there with the same plan is returned as it is. Raises EnvironmentFault where something is
    missing or does not start (nothing is left then), UsageError where a cluster of another plan runs.
    """
    return _cluster(start_cluster(root.absolute().resolve(), plan or ClusterPlan()))


def find_cluster(root: Path) -> Cluster | None:
    """The cluster that runs at `root`, whoever started it."""
    record = read_record(root.absolute().resolve())
    return _cluster(record) if record is not None and is_running(record) else None


def _cluster(record: Record) -> Cluster:
    return Cluster(
        root=record.layout.root,
        plan=record.plan,
        environment=client_environment(record.layout),
        host_address=record.located.host_address,
        interface=LINK_INSIDE if record.network else "lo",
        network=record.network,
    )


def _lives(record: Record, name: str) -> bool:
    return name in record.processes and is_alive(record.processes[name])
