"""What each stage of a run asks of SLURM's nodes, and whether a partition has that at all."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xpshpc.cluster.profile import Profile
from xpshpc.cluster.ranks.step import step_of
from xpshpc.cluster.site import Place, Site, Stage, megabytes, seconds
from xpshpc.cluster.slurm.client import Partition
from xpshpc.config import nearest

_ONE_CPU = 1


@dataclass(frozen=True)
class Request:
    """Nodes for one kind of job, `what` it is for; CPUs, memory (MiB) and GPUs are a node's, the time is in seconds."""

    what: str
    stage: Stage
    nodes: int
    cpus: int
    memory_mb: int
    time_s: int
    gpus: int = 0
    gpu_type: str | None = None
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    reservation: str | None = None
    extra: tuple[str, ...] = ()

    def options(self) -> list[str]:
        """The options of sbatch that ask for it."""
        words = {
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "constraint": self.constraint,
            "reservation": self.reservation,
        }
        return [
            *(f"--{name}={word}" for name, word in words.items() if word is not None),
            f"--nodes={self.nodes}",
            "--ntasks-per-node=1",
            f"--cpus-per-task={self.cpus}",
            f"--mem={self.memory_mb}M",
            f"--time={math.ceil(self.time_s / 60)}",
            *([f"--gres=gpu:{f'{self.gpu_type}:' if self.gpu_type else ''}{self.gpus}"] if self.gpus else []),
            *self.extra,
        ]


def requests_of(
    profile: Profile, stage: Stage, *, workers: int | None = None, ranks: int | None = None, parallel: int = 1
) -> list[Request]:
    """The jobs of a stage; `workers` and `ranks` unset are the profile's, `parallel` trials of a search run at a time.

    Raises UsageError as `step_of`.
    """
    site = profile.site
    if stage == "report":
        return [_request(site, site.report, "report", stage, memory_mb=megabytes(site.generate.coordinator_memory))]
    if stage == "generate":
        return list(_generate(site, workers or int(profile.workers)))
    return [_ranks(profile, stage, ranks or profile.ranks, parallel if stage == "search" else 1)]


def _generate(site: Site, workers: int) -> Iterator[Request]:
    table = site.generate
    alone = table.mode == "jobs"
    if alone:
        yield _request(
            site,
            table,
            "coordinator of generate",
            "generate",
            memory_mb=megabytes(table.coordinator_memory),
            time_s=seconds(table.coordinator_time or table.time),
        )
    together = min(workers, table.workers_per_job)
    yield _request(
        site,
        table,
        "workers of generate",
        "generate",
        nodes=1 if alone else math.ceil(workers / table.workers_per_job),
        cpus=together * table.cpus_per_worker,
        memory_mb=together * megabytes(table.memory_per_worker),
    )


def _ranks(profile: Profile, stage: Stage, ranks: int, gangs: int) -> Request:
    assert stage in ("train", "evaluate", "search")
    site = profile.site
    table = site.ranks(stage)
    step = step_of(profile, stage, ranks)
    # Gangs on nodes have nodes of their own; those of one host share it.
    nodes, together = (step.nodes * gangs, step.ranks_per_node) if step else (1, ranks * gangs)
    return _request(
        site,
        table,
        f"ranks of {stage}",
        stage,
        nodes=nodes,
        cpus=together * table.cpus_per_rank,
        memory_mb=together * megabytes(table.memory_per_rank),
        gpus=table.gpus_per_node,
        gpu_type=table.gpu_type,
    )


def _request(
    site: Site,
    place: Place,
    what: str,
    stage: Stage,
    *,
    memory_mb: int,
    nodes: int = 1,
    cpus: int = _ONE_CPU,
    time_s: int | None = None,
    gpus: int = 0,
    gpu_type: str | None = None,
) -> Request:
    return Request(
        what,
        stage,
        nodes,
        cpus,
        memory_mb,
        time_s or seconds(place.time),
        gpus,
        gpu_type,
        place.partition or site.partition,
        site.account,
        place.qos or site.qos,
        place.constraint or site.constraint,
        site.reservation,
        site.options,
    )


def misfit(request: Request, partitions: Sequence[Partition]) -> str | None:
    """Why no node of the partition can ever serve a request, in words; None where one can, as far as SLURM tells.

    A request for several partitions (`a,b`) is left to SLURM.
    """
    if request.partition is None:
        found = [each for each in partitions if each.default]
        if not found:
            return "no partition is the default here; set partition" + nearest("", [each.name for each in partitions])
    elif "," in request.partition:
        return None
    else:
        found = [each for each in partitions if each.name == request.partition]
        if not found:
            return f"no partition {request.partition!r}{nearest(request.partition, [each.name for each in partitions])}"
    place = found[0]
    if place.state != "up":
        return f"partition {place.name} is {place.state}"
    if place.max_time_s is not None and request.time_s > place.max_time_s:
        return f"time: partition {place.name} allows {_in_time(place.max_time_s)}, not {_in_time(request.time_s)}"
    for word, asked, there in (
        ("CPUs a node", request.cpus, place.cpus_per_node),
        ("MB of memory a node", request.memory_mb, place.memory_mb),
        ("GPUs a node", request.gpus, gpus_of(place.gres, request.gpu_type)),
        ("nodes", request.nodes, place.nodes),
    ):
        if asked > there:
            return f"{asked} {word} are asked for, partition {place.name} has {there}"
    return None


def gpus_of(gres: str, kind: str | None) -> int:
    """The most GPUs a node has by SLURM's GRES text (`gpu:a100:4(S:0-1),gpu:2`), of one kind where it is named."""
    counts: dict[str, int] = {}
    for match in re.finditer(r"\bgpu(?::([A-Za-z][^:,()]*))?(?::(\d+))?", gres):
        name = match[1] or ""
        counts[name] = max(counts.get(name, 0), int(match[2] or 1))
    return max((count for name, count in counts.items() if kind in (None, name)), default=0)


def _in_time(time_s: int) -> str:
    days, rest = divmod(time_s, 86400)
    return f"{f'{days}-' if days else ''}{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
