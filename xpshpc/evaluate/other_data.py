"""The samples of another run as the questions that a run's network is asked."""

from __future__ import annotations

from typing import Any

from xpshpc.config import JobFile
from xpshpc.errors import UsageError
from xpshpc.evaluate.blocks import Work, cut_blocks, spread_blocks
from xpshpc.plan.identity import data_hash
from xpshpc.plan.shards import plan_shards, split_shards
from xpshpc.run_directory import RunDirectory
from xpshpc.store.read import Store


def plan_other_work(job_file: JobFile, other: Store) -> Work:
    """All samples of the other run to be scored; training samples of the job to be compared with them."""
    evaluate = job_file.job.evaluate
    scored = cut_blocks(other.plan, range(len(other.plan)), evaluate.batch)
    if not evaluate.frechet:
        return Work(tuple(scored), (), ())
    plan = plan_shards(job_file.job.generate, data_hash(job_file))
    training = cut_blocks(plan, split_shards(len(plan), job_file.job.split).training, evaluate.batch)
    wanted = evaluate.frechet_samples
    return Work(tuple(scored), tuple(spread_blocks(scored, wanted)), tuple(spread_blocks(training, wanted)))


def check_other_data(run: RunDirectory, job_file: JobFile, other: Store, other_job: JobFile) -> None:
    """Raises UsageError where a run's network cannot be asked, or not honestly, about another run's samples.

    They are of another science, of other shapes, the very samples that it learned from, not all made yet, or their data
    set tells another axis or other names than the network's card does by the same key.
    """
    path = other.run.path
    science = job_file.domain.section
    if other_job.domain.section != science:
        raise UsageError(f"its samples are {other_job.domain.section}, the network reads {science}", where=str(path))
    if other.plan.data_hash == data_hash(job_file):
        raise UsageError(
            "this is the data set that the network learned from",
            where=str(path),
            try_=f"xpshpc evaluate {run.path}, which scores its held-out samples",
        )
    if len(other.committed) < len(other.plan):
        raise UsageError(
            f"only {len(other.committed)} of its {len(other.plan)} shards are stored yet",
            where=str(path),
            try_=f"xpshpc generate {path}",
        )
    problem, own = job_file.problem(), Store(run).specs
    for name in problem.reads:
        if name not in other.specs:
            raise UsageError(f"its data set has no array {name!r}, which the network needs", where=str(path))
        if other.specs[name].shape != own[name].shape:
            raise UsageError(
                f"its {name} are {_write_shape(other.specs[name].shape)}, the network learned "
                f"{_write_shape(own[name].shape)}",
                where=str(path),
            )
    for key, known in problem.model_card().items():
        if key in other.attributes and other.attributes[key] != known:
            raise UsageError(
                f"its {key} is {_shorten(other.attributes[key])}, the network's {_shorten(known)}",
                where=str(path),
                try_=f"a data set with the same {key}",
            )


def _write_shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or "single numbers"


def _shorten(told: Any) -> str:
    if not isinstance(told, list):
        return str(told)
    named = [f"{item:g}" if isinstance(item, float) else str(item) for item in told]
    return ", ".join(named) if len(named) <= 9 else f"{', '.join(named[:3])}, … {named[-1]} ({len(named)} in all)"
