"""What a one-machine SLURM shall look like: nodes, partitions, isolation, accounting."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Literal

from xpshpc.cluster.command import ask
from xpshpc.errors import UsageError

Isolation = Literal["pid", "net", "none"]
Accounting = Literal["jobcomp", "slurmdbd"]

MOST_NODES = 64
LEAST_MEMORY_MB = 16
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,30}")
_TRIAL = ("unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--mount-proc", "true")


def usual_isolation() -> Isolation:
    """Namespaces for every node where this user may make them, else none."""
    return "pid" if os.geteuid() == 0 and ask(_TRIAL, timeout_s=10).ok else "none"


@dataclass(frozen=True)
class Partition:
    """A queue over the first `nodes` nodes (unset: all); `max_minutes` is its jobs' longest time (unset: no limit)."""

    name: str
    nodes: int | None = None
    max_minutes: int | None = None


@dataclass(frozen=True)
class ClusterPlan:
    """A cluster of `nodes` equal nodes; `cpus`, `memory_mb` and `gpus` (fake ones) are a node's, whatever is there.

    `node_timeout_s` is the silence after which SLURM calls a node down. `extra` are further lines of slurm.conf. The
    first partition is the default one. Raises UsageError.
    """

    nodes: int = 4
    cpus: int = 2
    memory_mb: int = 4000
    gpus: int = 2
    isolation: Isolation = field(default_factory=usual_isolation)
    accounting: Accounting = "jobcomp"
    partitions: tuple[Partition, ...] = (Partition("main"), Partition("short", nodes=2, max_minutes=2))
    node_timeout_s: int = 5
    extra: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("nodes", self.nodes, 1, MOST_NODES),
            ("cpus", self.cpus, 1, 1024),
            ("memory_mb", self.memory_mb, LEAST_MEMORY_MB, 2**30),
            ("gpus", self.gpus, 0, 64),
            ("node_timeout_s", self.node_timeout_s, 1, 3600),
        ):
            if not least <= value <= most:
                raise UsageError(f"{value} is not from {least} to {most}", where=name, try_=f"{name} = {least}")
        if not self.partitions:
            raise UsageError("a cluster needs a partition", where="partitions")
        for partition in self.partitions:
            if not _NAME.fullmatch(partition.name):
                raise UsageError(f"{partition.name!r} is no name of a partition", where="partitions")
        if any("\n" in line for line in self.extra):
            raise UsageError("a line break within a line of slurm.conf", where="extra")

    @property
    def node_names(self) -> tuple[str, ...]:
        return tuple(f"node{number}" for number in range(1, self.nodes + 1))

    @property
    def default_partition(self) -> str:
        return self.partitions[0].name
