"""How many trials have room at a time, and what each of them gets: cores of this host, or nodes of a cluster."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from xpshpc.cluster.machine import usable_cores
from xpshpc.cluster.profile import Launcher, Profile, resolve_threads
from xpshpc.cluster.ranks.step import Step, step_of

_NODES = re.compile(r"(\d+)(?:\(x(\d+)\))?")


@dataclass(frozen=True)
class Room:
    """The gang of one trial, and how many such gangs run side by side; `note` tells why no more do, if more were asked.

    With a `step` the ranks are on SLURM's nodes, else on this host, where each computes with `threads_per_rank`.
    """

    ranks: int
    parallel: int = 1
    launcher: Launcher = "gloo"
    threads_per_rank: int = 1
    step: Step | None = None
    note: str = ""

    @property
    def cores(self) -> int:
        """Cores that one trial holds."""
        if self.step is not None:
            return self.step.cpus_per_rank * self.ranks
        return self.threads_per_rank * self.ranks

    @property
    def gpus(self) -> int:
        """GPUs that one trial holds."""
        return 0 if self.step is None else self.step.gpus_per_node * self.step.nodes


@dataclass(frozen=True)
class Allocation:
    """The nodes of the SLURM job that this process is in; CPUs, memory (MiB) and GPUs are those of its least node.

    Memory is None where SLURM does not share it out.
    """

    nodes: int
    cpus: int
    memory_mb: int | None
    gpus: int

    def holds(self, step: Step) -> int:
        """How many gangs of this step fit beside each other, each with cores, memory and GPUs of its own."""
        cpus = step.ranks_per_node * step.cpus_per_rank
        rooms = [self.cpus // cpus]
        if self.memory_mb is not None:
            rooms.append(self.memory_mb // step.memory_per_node_mb)
        if step.gpus_per_node:
            rooms.append(self.gpus // step.gpus_per_node)
        return min(rooms) * (self.nodes // step.nodes)


def own_allocation(environment: Mapping[str, str] = os.environ) -> Allocation | None:
    """The allocation by SLURM's variables; None outside a job."""
    if "SLURM_JOB_ID" not in environment:
        return None
    counted = [
        (int(match[1]), int(match[2] or 1)) for match in _NODES.finditer(environment.get("SLURM_JOB_CPUS_PER_NODE", ""))
    ]
    memory, gpus = environment.get("SLURM_MEM_PER_NODE", ""), environment.get("SLURM_GPUS_ON_NODE", "")
    return Allocation(
        nodes=sum(nodes for _, nodes in counted),
        cpus=min((cpus for cpus, _ in counted), default=0),
        memory_mb=int(memory) if memory.isdecimal() and int(memory) else None,
        gpus=int(gpus) if gpus.isdecimal() else 0,
    )


def find_room(profile: Profile, ranks: int, wanted: int, environment: Mapping[str, str] = os.environ) -> Room:
    """Room for up to `wanted` trials of `ranks` ranks at a time; one always has room, as a single training has.

    On this host no core is shared. Outside an allocation each trial asks the cluster for nodes of its own; inside one,
    trials share its nodes out. Raises UsageError as `step_of`.
    """
    step = step_of(profile, "search", ranks)
    if step is None:
        return _on_this_host(profile, ranks, wanted, environment)
    threads = resolve_threads(ranks, profile, environment)
    room = Room(ranks, wanted, profile.launcher, threads, step)
    allocation = own_allocation(environment)
    if allocation is None:
        return _at_most(room, profile.site.limits.max_jobs or wanted, "the profile's slurm.limits.max_jobs")
    if profile.launcher == "mpirun":
        return _at_most(room, 1, "mpirun takes all nodes of the job")
    room = _at_most(room, allocation.holds(step), f"the job has {allocation.nodes} node(s)")
    return room if room.parallel == 1 else replace(room, step=replace(step, beside_others=True))


def _on_this_host(profile: Profile, ranks: int, wanted: int, environment: Mapping[str, str]) -> Room:
    cores = usable_cores()
    # With a rank for each core, "share" is one thread, and any other word means what it always means.
    least = resolve_threads(cores, profile, environment)
    room = _at_most(Room(ranks, wanted, profile.launcher), cores // (ranks * least), f"there are {cores} cores here")
    return replace(room, threads_per_rank=resolve_threads(ranks * room.parallel, profile, environment))


def _at_most(room: Room, most: int, why: str) -> Room:
    parallel = max(1, min(room.parallel, most))
    if parallel == room.parallel:
        return room
    trials = f"{parallel} trial{'s' if parallel > 1 else ''} at a time, not {room.parallel}"
    return replace(room, parallel=parallel, note=f"{trials}: {why}, and each takes {room.ranks} rank(s)")
