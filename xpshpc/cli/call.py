"""One run, its job and where it runs, as the command line asked for them; and what can be said before it begins."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from xpshpc.cli import show
from xpshpc.cli.answer import console, print_json
from xpshpc.cli.measured import check_surveys
from xpshpc.cli.target import find_target
from xpshpc.errors import ExitCode

if TYPE_CHECKING:
    from xpshpc.cluster.profile import Profile
    from xpshpc.cluster.ranks.step import Step
    from xpshpc.config import JobFile
    from xpshpc.run_directory import RunDirectory


_USES = ("training", "validation", "held_out")


@dataclass(frozen=True)
class Call:
    """One run, its job and where it runs, as a command was asked for them."""

    target: Path
    run: RunDirectory
    job_file: JobFile
    profile: Profile
    workers: int
    ranks: int
    as_json: bool

    @property
    def threads_per_rank(self) -> int:
        from xpshpc.cluster.profile import resolve_threads

        return resolve_threads(self.ranks, self.profile)

    def step(self, stage: Literal["train", "evaluate", "search"]) -> Step | None:
        """How SLURM places the ranks of a stage; None on this machine."""
        if self.profile.kind == "local":
            return None
        from xpshpc.cluster.ranks.step import step_of

        return step_of(self.profile, stage, self.ranks)


def make_call(
    target: Path,
    runs: Path,
    on: str,
    settings: list[str] | None,
    workers: int | None,
    ranks: int | None,
    as_json: bool,
) -> Call:
    """Reads profile and job; nothing is made on the disk. Raises UsageError for what cannot be taken."""
    from xpshpc.cluster.profile import read_profile, resolve_ranks, resolve_workers

    profile = read_profile(on)
    found, job_file = find_target(target, runs, settings)
    job = job_file.job
    return Call(
        target,
        found,
        job_file,
        profile,
        resolve_workers(workers, job.generate.workers, profile),
        resolve_ranks(ranks, job.train.ranks, profile),
        as_json,
    )


def check_stages(call: Call, stages: Collection[str] = ("generate", "train", "evaluate", "report")) -> None:
    """Finds what would stop a later one of these stages, before the first one begins."""
    job = call.job_file.job
    if {"search", "train", "evaluate"} & set(stages):
        from xpshpc.plan.shards import plan_shards, split_shards

        split_shards(len(plan_shards(job.generate, "")), job.split)
    if "search" in stages:
        from xpshpc.search.metric import choose_metric
        from xpshpc.search.result import choose_strategy, search_section
        from xpshpc.search.search import check_trials

        metric = choose_metric(search_section(call.job_file))
        examples = choose_strategy(call.job_file).examples
        check_trials(examples, metric, call.job_file, call.ranks, call.profile.launcher)
    if "train" in stages:
        from xpshpc.train.check import check_training

        check_training(call.job_file, call.ranks, call.profile.launcher)
    if "report" in stages:
        check_surveys(call.job_file)


def show_plan(call: Call, *, learns: bool = True) -> int:
    """Gives the answer of --dry-run."""
    answer_call(call, describe_plan(call, learns=learns), show.show_plan)
    return ExitCode.DONE


def describe_plan(call: Call, *, learns: bool = True) -> dict[str, Any]:
    """What the job means, with nothing made (JSON); without its split where nothing `learns` yet."""
    from xpshpc.plan.identity import data_hash
    from xpshpc.plan.shards import plan_shards, split_shards
    from xpshpc.source import CheckedSource

    job = call.job_file.job
    plan = plan_shards(job.generate, data_hash(call.job_file))
    split = split_shards(len(plan), job.split) if learns else None
    source = call.job_file.source()
    if isinstance(source, CheckedSource):
        source.check()
    specs = source.arrays()
    return {
        "run": str(call.run.path),
        "data_hash": plan.data_hash,
        "planned": plan.samples,
        "shards": len(plan),
        "uncompressed_bytes": plan.samples * sum(_sample_bytes(spec.shape, spec.dtype) for spec in specs),
        "arrays": {spec.name: {"shape": list(spec.shape), "dtype": spec.dtype, "unit": spec.unit} for spec in specs},
        **({} if split is None else {"split": {use: len(getattr(split, use)) for use in _USES}}),
        "workers": call.workers,
        "ranks": call.ranks,
        "network": job.train.network,
        "epochs": job.train.epochs,
        "dry_run": True,
    }


def answer_call(call: Call, answer: Mapping[str, Any], present: Callable[[Any, Mapping[str, Any]], None]) -> None:
    """Prints the answer of a call: as JSON, or as `present` shows it to people."""
    if call.as_json:
        print_json(answer)
    else:
        present(console(), answer)


def _sample_bytes(shape: tuple[int, ...], dtype: str) -> int:
    import numpy as np

    return int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
