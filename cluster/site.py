"""What a SLURM site asks of jobs, and what each stage of a run asks of the site: the [slurm] table of a profile."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from xpshpc.config import Section

OPTIONS_WITH_KEYS = {
    "--partition": "partition",
    "--account": "account",
    "--qos": "qos",
    "--constraint": "constraint",
    "--reservation": "reservation",
    "--time": "time of a stage's table",
    "--nodes": "nodes of a stage's table",
    "--mem": "memory_per_worker, memory_per_rank",
    "--mem-per-cpu": "memory_per_worker, memory_per_rank",
    "--cpus-per-task": "cpus_per_worker, cpus_per_rank",
    "--gres": "gpus_per_node, gpu_type",
    "--gpus-per-node": "gpus_per_node, gpu_type",
    "--array": "nothing: arrays are this program's own",
    "--dependency": "nothing: the order of the stages is this program's own",
    "--signal": "stop_before_s of [slurm.limits]",
}
"""Options of sbatch that this program sets itself, and what decides them."""

Stage = Literal["generate", "train", "evaluate", "search", "report"]

_TIME = re.compile(r"(?:(\d+):)?(\d+):(\d+)")
_DAYS = re.compile(r"(\d+)-(\d+)(?::(\d+)(?::(\d+))?)?")
_MEMORY = re.compile(r"(\d+)([MGT])")
_MEGABYTES = {"M": 1, "G": 1024, "T": 1024 * 1024}
_WORD = r"^[A-Za-z0-9_][A-Za-z0-9_.,:@+/=*-]*$"

Word = Annotated[str, Field(pattern=_WORD, max_length=200)]
Memory = Annotated[str, Field(pattern=r"^\d+[MGT]$", description="a number with M, G or T")]


def seconds(time_limit: str) -> int:
    """A time limit in seconds. Raises ValueError if it is none."""
    if match := _DAYS.fullmatch(time_limit):
        days, hours, minutes, rest = (int(part or 0) for part in match.groups())
    elif match := _TIME.fullmatch(time_limit):
        days, (hours, minutes, rest) = 0, (int(part or 0) for part in match.groups())
    else:
        raise ValueError(f"{time_limit!r} is no time limit: write [days-]hours:minutes:seconds")
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def megabytes(memory: str) -> int:
    """An amount of memory in MiB. Raises ValueError if it is none."""
    match = _MEMORY.fullmatch(memory)
    if match is None:
        raise ValueError(f"{memory!r} is no amount of memory: write a number with M, G or T")
    return int(match[1]) * _MEGABYTES[match[2]]


def _some_time(value: str) -> str:
    if seconds(value) == 0:
        raise ValueError(f"{value!r} is no time at all (SLURM would take it for no limit)")
    return value


TimeLimit = Annotated[
    str,
    AfterValidator(_some_time),
    Field(description="[days-]hours:minutes:seconds, or minutes:seconds, as SLURM writes it"),
]


class Place(Section):
    """Settings of the site that one stage may have otherwise; unset: as [slurm] says."""

    time: TimeLimit = "04:00:00"
    partition: Word | None = None
    qos: Word | None = None
    constraint: Word | None = None


class GenerateSite(Place):
    """How a data set is made: by many small jobs that come and go, or by all nodes of one allocation."""

    mode: Literal["jobs", "allocation"] = Field(
        "jobs", description="jobs: worker jobs, kept up in number; allocation: scheduler, client, workers by srun"
    )
    workers_per_job: int = Field(1, gt=0, description="worker processes in one job (or on one node of the allocation)")
    cpus_per_worker: int = Field(1, gt=0)
    memory_per_worker: Memory = "2G"
    adaptive: bool = Field(False, description="let Dask grow and shrink the number of jobs; fixed is the safe way")
    coordinator_time: TimeLimit | None = Field(None, description="the coordinator's own job; unset: as `time`")
    coordinator_memory: Memory = "2G"


class RanksSite(Place):
    """How ranks are placed: on how many nodes, and what each of them has."""

    nodes: int = Field(1, gt=0)
    gpus_per_node: int = Field(0, ge=0, description="0: ranks compute on cores")
    gpu_type: Word | None = Field(None, description="the type in --gres=gpu:TYPE:N where the site has several")
    cpus_per_rank: int = Field(1, gt=0)
    memory_per_rank: Memory = "4G"


class Limits(Section):
    """What the site allows, where SLURM does not tell, and how patient we are."""

    max_jobs: int | None = Field(None, gt=0, description="jobs of ours that may be queued at once; unset: SLURM's word")
    max_array: int | None = Field(None, gt=0, description="tasks in one job array; unset: MaxArraySize")
    stop_before_s: int = Field(300, ge=10, description="seconds before the time limit at which a job is asked to stop")
    failed_allocations: int = Field(5, gt=0, description="worker jobs that fail in a row before no more are asked for")
    node_failures: int = Field(2, gt=0, description="failures of a node after which it is left out")
    lost_after_s: float = Field(60.0, gt=0, description="seconds without a word after which a worker counts as lost")
    query_patience_s: float = Field(300.0, ge=0, description="seconds for which a failing SLURM command is repeated")
    restarts: int = Field(20, ge=0, description="times that a stage is put back into the queue after a failure")


class Recognise(Section):
    """Signs by which a profile knows its cluster; one of them is enough."""

    variable: str | None = Field(
        None, pattern=r"^[A-Za-z_]\w*(=.*)?$", description="NAME or NAME=value, in the environment of a login node"
    )
    host: str | None = Field(
        None, min_length=1, description="a pattern for the host's name: login*.cluster.example.org"
    )

    def fits(self, environment: Mapping[str, str], host: str) -> bool:
        """Whether a sign is there; a variable without a value in the profile may have any but the empty one."""
        if self.variable is not None:
            name, equals, value = self.variable.partition("=")
            there = environment.get(name, "")
            if there == value if equals else there:
                return True
        return self.host is not None and fnmatch.fnmatchcase(host.lower(), self.host.lower())


class Site(Section):
    """The [slurm] table of a profile."""

    partition: Word | None = None
    account: Word | None = None
    qos: Word | None = None
    constraint: Word | None = None
    reservation: Word | None = None
    options: tuple[Annotated[str, Field(pattern=r"^--[A-Za-z][A-Za-z-]*(=[^\n]*)?$")], ...] = Field(
        (), description="more options for every job, one --name=value each"
    )
    modules: tuple[Word, ...] = Field((), description="modules to load in every job")
    environment: tuple[str, ...] = Field((), description="shell lines at the start of every job")
    interface: Word | None = Field(None, description="network interface between nodes: ib0, eth0")
    python: str | None = Field(
        None, pattern=r"^[^\n]+$", description="Python of the environment on the nodes; unset: the one that submits"
    )
    recognise: Recognise = Recognise()
    generate: GenerateSite = GenerateSite()
    train: RanksSite = RanksSite()
    evaluate: RanksSite | None = Field(None, description="unset: as train")
    search: RanksSite | None = Field(None, description="unset: as train")
    report: Place = Place(time="00:30:00")
    limits: Limits = Limits()

    @field_validator("environment")
    @classmethod
    def _lines_are_lines(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for line in value:
            if "\n" in line:
                raise ValueError(f"one shell line an entry, not {line!r}")
        return value

    @field_validator("options")
    @classmethod
    def _options_without_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for option in value:
            name = option.partition("=")[0]
            if name in OPTIONS_WITH_KEYS:
                raise ValueError(f"{name} is decided by: {OPTIONS_WITH_KEYS[name]}")
        return value

    @model_validator(mode="after")
    def _stops_in_time(self) -> Site:
        tables = {"generate": self.generate, "train": self.train, "evaluate": self.evaluate, "search": self.search}
        for name, table in tables.items():
            if table is not None and seconds(table.time) <= self.limits.stop_before_s:
                raise ValueError(
                    f"{name}.time = {table.time!r} leaves no time before limits.stop_before_s = "
                    f"{self.limits.stop_before_s}"
                )
        return self

    def ranks(self, stage: Literal["train", "evaluate", "search"]) -> RanksSite:
        """How the ranks of a stage are placed."""
        return getattr(self, stage) or self.train

    def place(self, stage: Stage) -> Place:
        """Time, partition, QOS and constraint of a stage."""
        return self.ranks(stage) if stage in ("train", "evaluate", "search") else getattr(self, stage)  # type: ignore[arg-type, return-value]
