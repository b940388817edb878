"""The jobs that a run becomes on a SLURM site: one for each stage, or one for all of them, and what they may cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from xpshpc.cluster.profile import Profile
from xpshpc.cluster.site import Stage
from xpshpc.cluster.submission.request import Request, requests_of
from xpshpc.cluster.submission.script import log_pattern, read_template, render_script, site_lines
from xpshpc.errors import UsageError
from xpshpc.run_directory import RunDirectory

STAGES: tuple[Stage, ...] = ("generate", "search", "train", "evaluate", "report")
USUAL: tuple[Stage, ...] = ("generate", "train", "evaluate", "report")
SEARCHING: tuple[Stage, ...] = ("generate", "search", "report")
PIPELINE = "pipeline"


@dataclass(frozen=True)
class Demand:
    """What one kind of job may use at most, if none is started again: `cpus`, `gpus` of all its nodes, MiB a node."""

    stage: str
    jobs: int
    nodes: int
    cpus: int
    gpus: int
    memory_mb: int
    time_s: int

    @property
    def cpu_hours(self) -> float:
        return self.jobs * self.cpus * self.time_s / 3600

    @property
    def gpu_hours(self) -> float:
        return self.jobs * self.gpus * self.time_s / 3600

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "cpu_hours": round(self.cpu_hours, 3), "gpu_hours": round(self.gpu_hours, 3)}


@dataclass(frozen=True)
class ChainedJob:
    """A job of the chain: its name in the run, the stages it runs, its script, and what it and its workers may use."""

    name: str
    stages: tuple[Stage, ...]
    text: str
    demands: tuple[Demand, ...]


@dataclass(frozen=True)
class Chain:
    """Jobs of which each begins when the one before it is done; `merged` says why they are one job, if they are."""

    jobs: tuple[ChainedJob, ...]
    merged: str = ""

    @property
    def demands(self) -> tuple[Demand, ...]:
        return tuple(demand for job in self.jobs for demand in job.demands)

    @property
    def cpu_hours(self) -> float:
        return sum(demand.cpu_hours for demand in self.demands)

    @property
    def gpu_hours(self) -> float:
        return sum(demand.gpu_hours for demand in self.demands)


@dataclass(frozen=True)
class Wish:
    """What shall be submitted: `stages` of the `run`, on a `profile` that its jobs find as `on`, by this `python`.

    `parallel` trials of a search run at a time.
    """

    run: RunDirectory
    profile: Profile
    on: str
    python: str
    stages: tuple[Stage, ...]
    workers: int
    ranks: int
    parallel: int = 1


def whole_run(*, searches: bool) -> tuple[Stage, ...]:
    """The stages of `xpshpc run`: where a job searches, its trials are trained and scored in place of one network."""
    return SEARCHING if searches else USUAL


def read_stages(text: str) -> tuple[Stage, ...]:
    """The stages named in `generate,train`, in the order in which they run. Raises UsageError for unknown ones."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in STAGES]
    if unknown or not names:
        what = f"unknown stage {unknown[0]!r}" if unknown else "no stage is named"
        raise UsageError(what, where="--stages", try_=f"--stages {','.join(USUAL)}")
    return tuple(stage for stage in STAGES if stage in names)


def plan_chain(wish: Wish, most_jobs: int | None) -> Chain:
    """A job for each stage; one for all of them where the site lets fewer jobs (`most_jobs`) be queued than that takes.

    Raises UsageError where the site allows too few jobs, and one job for these stages is not possible.
    """
    workers = [demand for stage in wish.stages for demand in _worker_demands(wish, stage)]
    needed = len(wish.stages) + sum(demand.jobs for demand in workers)
    if most_jobs is None or needed <= most_jobs or len(wish.stages) == 1:
        return Chain(tuple(_stage_job(wish, stage) for stage in wish.stages))
    if wish.stages not in (USUAL, SEARCHING):
        raise UsageError(
            f"these stages and their workers take {needed} jobs, and the site allows {most_jobs} jobs to be added now",
            where=f"profile {wish.profile.name}: slurm.limits.max_jobs",
            try_="fewer stages at once, more workers_per_job, or mode = 'allocation'",
        )
    merged = f"one job for all stages: a chain takes {needed} jobs, {most_jobs} jobs may be added to the queue"
    return Chain((_pipeline(wish),), merged)


def _stage_job(wish: Wish, stage: Stage) -> ChainedJob:
    request = _own_request(wish, stage)
    demands = (_demand(stage, request), *_worker_demands(wish, stage))
    return ChainedJob(stage, (stage,), _script(wish, stage, request, _holds_nodes(wish, stage)), demands)


def _pipeline(wish: Wish) -> ChainedJob:
    requests = [_own_request(wish, stage) for stage in wish.stages]
    largest = max(requests, key=lambda request: (request.gpus, request.nodes * request.cpus))
    request = replace(
        largest,
        nodes=max(each.nodes for each in requests),
        cpus=max(each.cpus for each in requests),
        memory_mb=max(each.memory_mb for each in requests),
        time_s=max(each.time_s for each in requests),
    )
    workers = tuple(demand for stage in wish.stages for demand in _worker_demands(wish, stage))
    text = _script(wish, PIPELINE, request, any(_holds_nodes(wish, stage) for stage in wish.stages))
    return ChainedJob(PIPELINE, wish.stages, text, (_demand(PIPELINE, request), *workers))


def _own_request(wish: Wish, stage: Stage) -> Request:
    """What the batch job of a stage asks for; making a data set by jobs, it only coordinates the others."""
    return requests_of(wish.profile, stage, workers=wish.workers, ranks=wish.ranks, parallel=wish.parallel)[0]


def _holds_nodes(wish: Wish, stage: Stage) -> bool:
    """Whether the stage works on within its allocation when one of the nodes dies."""
    return stage == "generate" and wish.profile.site.generate.mode == "allocation"


def _worker_demands(wish: Wish, stage: Stage) -> Iterator[Demand]:
    """The worker jobs, which are kept up for as long as the job that coordinates them."""
    table = wish.profile.site.generate
    if stage == "generate" and table.mode == "jobs":
        coordinator, worker = requests_of(wish.profile, stage, workers=wish.workers, ranks=wish.ranks)
        jobs = math.ceil(wish.workers / table.workers_per_job)
        yield replace(_demand("generate workers", worker), jobs=jobs, time_s=max(coordinator.time_s, worker.time_s))


def _demand(name: str, request: Request) -> Demand:
    nodes = request.nodes
    return Demand(name, 1, nodes, nodes * request.cpus, nodes * request.gpus, request.memory_mb, request.time_s)


def _script(wish: Wish, name: str, request: Request, holds_nodes: bool) -> str:
    site = wish.profile.site
    stop_before_s = min(site.limits.stop_before_s, request.time_s // 2)
    options: Sequence[str] = [
        f"--job-name={wish.run.name}-{name}",
        f"--output={log_pattern(wish.run.logs / 'slurm', name)}",
        f"--signal=B:TERM@{stop_before_s}",
        *(["--no-kill"] if holds_nodes else []),
        *request.options(),
    ]
    lines = site_lines(site, wish.python, wish.on)
    return render_script(read_template(name), options, lines, [str(wish.run.path)])


def time_limit(demand: Demand) -> str:
    """A time limit as SLURM writes it."""
    days, rest = divmod(demand.time_s, 86_400)
    return f"{f'{days}-' if days else ''}{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
