"""What SLURM says of nodes and jobs, read from its own words."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

NONE = ("none", "(null)", "None", "N/A", "")


@dataclass(frozen=True)
class NodeStatus:
    """A node: SLURM's word for its state in lower case, and whether it has power."""

    name: str
    state: str
    powered: bool
    reason: str


@dataclass(frozen=True)
class JobStatus:
    """A waiting or running job, or one element of an array."""

    id: str
    name: str
    state: str
    nodes: str
    reason: str


@dataclass(frozen=True)
class ClusterStatus:
    """Whether the controller answers, all nodes, and the jobs that are not yet at their end."""

    controller: bool
    nodes: tuple[NodeStatus, ...]
    jobs: tuple[JobStatus, ...]


def parse_nodes(output: str, powered: Collection[str]) -> tuple[NodeStatus, ...]:
    """Nodes from `sinfo --Node --format=%N|%T|%E`."""
    found = []
    for line in output.splitlines():
        name, state, reason = line.strip().split("|", 2)
        found.append(NodeStatus(name, state.lower(), name in powered, "" if reason in NONE else reason))
    return tuple(found)


def parse_start(output: str) -> str:
    """When a node's slurmd has last started, from `scontrol show node`; empty if SLURM never heard of it."""
    found = re.search(r"SlurmdStartTime=(\d\S*)", output)
    return found[1] if found else ""


def parse_jobs(output: str) -> tuple[JobStatus, ...]:
    """Jobs from `squeue --format=%i|%j|%T|%N|%r`; a job's name may hold the separator."""
    found = []
    for line in output.splitlines():
        identity, rest = line.strip().split("|", 1)
        name, state, nodes, reason = rest.rsplit("|", 3)
        found.append(JobStatus(identity, name, state.lower(), nodes, "" if reason in NONE else reason))
    return tuple(found)
