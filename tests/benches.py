"""Shards made in the test's own process, for tests that are about what a shard is and not about who makes it."""

from __future__ import annotations

from collections.abc import Iterable

from xpshpc.config import JobFile
from xpshpc.generate.shard_task import ShardTask, Workbench, make_shard
from xpshpc.plan.shards import plan_shards
from xpshpc.run_directory import RunDirectory, save_job
from xpshpc.store.commit import make_private_folder
from xpshpc.store.prepare import prepare_store


def open_bench(run: RunDirectory, job_file: JobFile) -> Workbench:
    """The workbench of a run, its store prepared."""
    source = job_file.domain.source("embedded", job_file.settings, {}, job_file.job.seed)
    plan, arrays = prepare_store(run, job_file, source)
    save_job(run, job_file)
    return Workbench(run, job_file, arrays, plan.data_hash)


def first_task(bench: Workbench, number: int, session: str = "000001") -> ShardTask:
    """The first attempt at a shard."""
    generate = bench.job_file.job.generate
    make_private_folder(bench.run.staging)
    make_private_folder(bench.run.staging / session)
    return ShardTask(plan_shards(generate, bench.data_hash)[number], 1, session)


def make_shards(run: RunDirectory, job_file: JobFile, numbers: Iterable[int]) -> Workbench:
    """Makes and commits these shards of a job, and leaves nothing in staging."""
    bench = open_bench(run, job_file)
    for number in numbers:
        make_shard(bench, first_task(bench, number))
    for folder in sorted(run.staging.rglob("*"), reverse=True):
        folder.rmdir()
    run.staging.rmdir()
    return bench
