"""What ranks on SLURM's nodes ask for: how many nodes, and of each of them how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xpshpc.cluster.profile import Profile
from xpshpc.cluster.site import megabytes
from xpshpc.errors import UsageError


@dataclass(frozen=True)
class Step:
    """A gang's place on a SLURM cluster.

    Inside a job the gang becomes a step of it, outside it gets an allocation of its own, for which the queue's words
    (`partition` to `time`) are. Memory is in MiB. `interface` joins the nodes, None where the hosts' names tell it;
    `python` is the nodes', None where it is this one; a launch that fails in passing is repeated for `patience_s`.
    `beside_others`: other gangs of the same job run at the same time, and each has cores, memory and GPUs of its own.
    """

    nodes: int
    ranks_per_node: int
    cpus_per_rank: int = 1
    memory_per_rank_mb: int = 4096
    gpus_per_node: int = 0
    gpu_type: str | None = None
    interface: str | None = None
    python: str | None = None
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    reservation: str | None = None
    options: tuple[str, ...] = ()
    time: str | None = None
    patience_s: float = 300.0
    beside_others: bool = False

    @property
    def memory_per_node_mb(self) -> int:
        return self.memory_per_rank_mb * self.ranks_per_node

    @property
    def gres(self) -> str | None:
        """The GPUs of a node as SLURM wants to be asked for them."""
        if not self.gpus_per_node:
            return None
        return ":".join(part for part in ("gpu", self.gpu_type, str(self.gpus_per_node)) if part)


def step_of(profile: Profile, stage: Literal["train", "evaluate", "search"], ranks: int) -> Step | None:
    """How `ranks` ranks of a stage are spread over the nodes of a profile; None where they run on this host alone.

    Raises UsageError where a node has fewer GPUs than it would have ranks, or the launcher cannot reach other nodes.
    """
    if profile.kind == "local":
        return None
    site = profile.site
    asked = site.ranks(stage)
    nodes = min(asked.nodes, ranks)
    per_node = -(-ranks // nodes)
    if profile.launcher == "gloo" or (profile.launcher == "mpirun" and nodes == 1):
        if nodes > 1:
            raise UsageError(
                f"{nodes} nodes, but the launcher 'gloo' starts ranks on one host only",
                where=f"profile {profile.name}: launcher",
                try_='launcher = "srun-gloo"',
            )
        return None
    if 0 < asked.gpus_per_node < per_node:
        most = asked.gpus_per_node * nodes
        raise UsageError(
            f"{ranks} ranks on {nodes} node(s) are {per_node} a node, which has {asked.gpus_per_node} GPU(s)",
            where=f"profile {profile.name}: slurm.{stage}",
            try_=f"--ranks {most}, or nodes = {-(-ranks // asked.gpus_per_node)}",
        )
    place = site.place(stage)
    return Step(
        nodes=nodes,
        ranks_per_node=per_node,
        cpus_per_rank=asked.cpus_per_rank,
        memory_per_rank_mb=megabytes(asked.memory_per_rank),
        gpus_per_node=asked.gpus_per_node,
        gpu_type=asked.gpu_type,
        interface=site.interface,
        python=site.python,
        partition=place.partition or site.partition,
        account=site.account,
        qos=place.qos or site.qos,
        constraint=place.constraint or site.constraint,
        reservation=site.reservation,
        options=site.options,
        time=place.time,
        patience_s=site.limits.query_patience_s,
    )
