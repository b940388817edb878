"""Commands that make things: run, generate, train, evaluate, report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xpshpc.cli import options, show
from xpshpc.cli.answer import console, print_json
from xpshpc.cli.science import analyze_job, check_surveys
from xpshpc.cli.target import find_target
from xpshpc.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from xpshpc.cluster.profile import Profile
    from xpshpc.config import JobFile
    from xpshpc.events import Listener
    from xpshpc.generate.generate import GenerateResult
    from xpshpc.run_directory import RunDirectory


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


def add_commands(app: typer.Typer) -> None:
    """Adds this room's commands to the program."""
    for command in (run, generate, train, evaluate, report):
        app.command()(command)


def run(
    target: options.Target,
    runs: options.Runs = options.RUNS,
    on: options.On = "local",
    settings: options.Settings = None,
    workers: options.Workers = None,
    ranks: options.Ranks = None,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
) -> int:
    """All stages of a job: generate, train, evaluate, analyze, report. Stopped at any moment, the same call goes on."""
    call = _call(target, runs, on, settings, workers, ranks, as_json)
    _check_stages(call)
    if dry_run:
        return _plan(call)
    began = time.monotonic()
    with _progress(as_json) as listen:
        made = _generate(call, listen)
        trained = _train(call, listen)
        scored = _evaluate(call, listen)
        analysed = analyze_job(call.run, call.job_file)
        page = _report(call)
    answer = {
        **made.as_json(),
        "train": trained,
        "evaluate": scored,
        "analyze": analysed,
        "report": str(page),
        "wall_s": round(time.monotonic() - began, 3),
    }
    _answer(call, answer, show.show_run)
    return _code(made.quarantined)


def generate(
    target: options.Target,
    runs: options.Runs = options.RUNS,
    on: options.On = "local",
    settings: options.Settings = None,
    workers: options.Workers = None,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
) -> int:
    """The data set only. Stopped at any moment, the same call completes the same bytes."""
    call = _call(target, runs, on, settings, workers, None, as_json)
    if dry_run:
        return _plan(call)
    with _progress(as_json) as listen:
        made = _generate(call, listen)
    _answer(call, made.as_json(), show.show_generated)
    return _code(made.quarantined)


def train(
    target: options.Target,
    runs: options.Runs = options.RUNS,
    on: options.On = "local",
    settings: options.Settings = None,
    ranks: options.Ranks = None,
    restart: Annotated[bool, typer.Option("--restart", help="Forget the training that is there.")] = False,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
) -> int:
    """Train the job's network on the run's data set, by Horovod ranks, from the last checkpoint on."""
    call = _call(target, runs, on, settings, None, ranks, as_json)
    if dry_run:
        return _plan(call)
    _need_data(call)
    with _progress(as_json) as listen:
        answer = _train(call, listen, restart=restart)
    _answer(call, answer, show.show_trained)
    return ExitCode.DONE


def evaluate(
    target: options.Target,
    runs: options.Runs = options.RUNS,
    on: options.On = "local",
    settings: options.Settings = None,
    ranks: options.Ranks = None,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
) -> int:
    """Score the trained network on samples it never saw, shared by the ranks."""
    call = _call(target, runs, on, settings, None, ranks, as_json)
    if dry_run:
        return _plan(call)
    _need_data(call)
    with _progress(as_json) as listen:
        answer = _evaluate(call, listen)
    _answer(call, answer, show.show_scores)
    return ExitCode.DONE


def report(
    target: options.Target,
    runs: options.Runs = options.RUNS,
    settings: options.Settings = None,
    as_json: options.AsJson = False,
) -> int:
    """Write report.html: what ran, spectra, loss curves, errors, cost; one file that opens offline."""
    call = _call(target, runs, "local", settings, None, None, as_json)
    if not call.run.job.is_file():
        raise UsageError("there is nothing to report yet", where=str(call.run.path), try_=f"xpshpc run {target}")
    page = _report(call)
    _answer(call, {"run": str(call.run.path), "report": str(page)}, show.show_report)
    return ExitCode.DONE


def _call(
    target: Path,
    runs: Path,
    on: str,
    settings: list[str] | None,
    workers: int | None,
    ranks: int | None,
    as_json: bool,
) -> Call:
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


def _progress(as_json: bool) -> Any:
    from xpshpc.report.progress import TerminalProgress

    return TerminalProgress(quiet_in_logs=as_json)


def _generate(call: Call, listen: Listener) -> GenerateResult:
    from xpshpc.generate.generate import generate as make

    return make(call.job_file, call.run, workers=call.workers, on_event=listen)


def _train(call: Call, listen: Listener, *, restart: bool = False) -> dict[str, Any]:
    from xpshpc.train.launch import train as fit

    result = fit(
        call.run,
        call.job_file,
        ranks=call.ranks,
        launcher=call.profile.launcher,
        threads_per_rank=call.threads_per_rank,
        restart=restart,
        on_event=listen,
    )
    return result.as_json()


def _evaluate(call: Call, listen: Listener) -> dict[str, Any]:
    from xpshpc.evaluate.evaluate import evaluate as score

    return score(call.run, call.job_file, ranks=call.ranks, launcher=call.profile.launcher, on_event=listen).as_json()


def _report(call: Call) -> Path:
    from xpshpc.report.html import write_report

    return write_report(call.run, call.job_file)


def _check_stages(call: Call) -> None:
    """Finds what would stop a later stage, before the first one begins."""
    from xpshpc.plan.shards import plan_shards, split_shards
    from xpshpc.train.batches import check_even_share

    job = call.job_file.job
    split_shards(len(plan_shards(job.generate, "")), job.split)
    check_even_share(job.train.global_batch, call.ranks)
    check_surveys(call.job_file)


def _need_data(call: Call) -> None:
    if not call.run.commits.is_dir():
        raise UsageError("there is no data set yet", where=str(call.run.path), try_=f"xpshpc generate {call.target}")


def _plan(call: Call) -> int:
    """The answer of --dry-run: what the job means, with nothing made."""
    from xpshpc.plan.identity import data_hash
    from xpshpc.plan.shards import plan_shards, split_shards
    from xpshpc.source import AttendedSource

    job = call.job_file.job
    plan = plan_shards(job.generate, data_hash(call.job_file))
    split = split_shards(len(plan), job.split)
    source = call.job_file.domain.source(job.generate.source, call.job_file.settings, job.generate.options, job.seed)
    if isinstance(source, AttendedSource):
        source.check()
    specs = source.arrays()
    answer = {
        "run": str(call.run.path),
        "data_hash": plan.data_hash,
        "planned": plan.samples,
        "shards": len(plan),
        "uncompressed_bytes": plan.samples * sum(_sample_bytes(spec.shape, spec.dtype) for spec in specs),
        "arrays": {spec.name: {"shape": list(spec.shape), "dtype": spec.dtype, "unit": spec.unit} for spec in specs},
        "split": {use: len(getattr(split, use)) for use in ("training", "validation", "held_out")},
        "workers": call.workers,
        "ranks": call.ranks,
        "network": job.train.network,
        "epochs": job.train.epochs,
        "dry_run": True,
    }
    _answer(call, answer, show.show_plan)
    return ExitCode.DONE


def _sample_bytes(shape: tuple[int, ...], dtype: str) -> int:
    import numpy as np

    return int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize


def _answer(call: Call, answer: Mapping[str, Any], present: Callable[[Any, Mapping[str, Any]], None]) -> None:
    if call.as_json:
        print_json(answer)
    else:
        present(console(), answer)


def _code(quarantined: int) -> ExitCode:
    return ExitCode.QUARANTINED if quarantined else ExitCode.DONE
