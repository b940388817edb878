"""Commands that make things: run, generate, train, evaluate, report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xpshpc.cli import options, show
from xpshpc.cli.call import Call, answer_call, check_stages, describe_plan, make_call, show_plan
from xpshpc.cli.measured import analyze_job, find_network, is_analysed, judge_measured, read_measured_table
from xpshpc.cli.search import find_search_room, plan_search, search_in, show_trials
from xpshpc.cli.show_scores import show_scores
from xpshpc.cli.stages import (
    code_of,
    generate_samples,
    makes_samples,
    need_data,
    report_run,
    score_network,
    show_progress,
    train_network,
)
from xpshpc.cli.study import is_study, refuse_study, run_study_job
from xpshpc.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from rich.console import Console


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
    """All stages of a job: generate, train and evaluate, or search, then report. Stopped, the same call goes on.

    A network that makes samples has no answers that could be scored: it is trained, drawn and reported.
    """
    call = make_call(target, runs, on, settings, workers, ranks, as_json)
    if is_study(call.job_file):
        return run_study_job(call, dry_run)
    if call.job_file.job.search is not None:
        return _run_search(call, dry_run)
    check_stages(call)
    if dry_run:
        return show_plan(call)
    began = time.monotonic()
    with show_progress(as_json) as listen:
        made = generate_samples(call, listen)
        trained = train_network(call, listen)
        scored = None if makes_samples(call.job_file) else score_network(call, listen)
        analysed = analyze_job(call.run, call.job_file, call.run.path)
        page = report_run(call)
    answer = {
        **made.as_json(),
        "train": trained,
        "evaluate": scored,
        "analyze": analysed,
        "report": str(page),
        "wall_s": round(time.monotonic() - began, 3),
    }
    answer_call(call, answer, show.show_run)
    return code_of(made.quarantined)


def _run_search(call: Call, dry_run: bool) -> int:
    """The stages of a job with [search]: its trials take the place of one training and its scores."""
    check_stages(call, ("generate", "search", "report"))
    if dry_run:
        answer_call(call, {**describe_plan(call), "search": plan_search(call)}, _show_search_plan)
        return ExitCode.DONE
    began = time.monotonic()
    room = find_search_room(call)
    with show_progress(call.as_json) as listen:
        made = generate_samples(call, listen)
        found = search_in(call, room, listen)
        network = find_network(call.run)
        analysed = analyze_job(call.run, call.job_file, network) if network else None
        page = report_run(call)
    answer = {
        **made.as_json(),
        "search": found.as_json(),
        "analyze": analysed,
        "report": str(page),
        "wall_s": round(time.monotonic() - began, 3),
    }
    answer_call(call, answer, show.show_searched_run)
    return code_of(made.quarantined)


def _show_search_plan(console: Console, answer: Mapping[str, Any]) -> None:
    show_trials(console, answer["search"])
    show.show_plan(console, answer)


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
    call = make_call(target, runs, on, settings, workers, None, as_json)
    refuse_study(call.job_file, "generate", target)
    if dry_run:
        return show_plan(call, learns=False)
    with show_progress(as_json) as listen:
        made = generate_samples(call, listen)
    answer_call(call, made.as_json(), show.show_generated)
    return code_of(made.quarantined)


def train(
    target: options.Target,
    runs: options.Runs = options.RUNS,
    on: options.On = "local",
    settings: options.Settings = None,
    ranks: options.Ranks = None,
    restart: Annotated[bool, typer.Option("--restart", help="Forget the training that is there.")] = False,
    until_epoch: Annotated[
        int | None, typer.Option("--until-epoch", min=1, metavar="K", help="Pause after K epochs of the same schedule.")
    ] = None,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
) -> int:
    """Train the job's network on the run's data set, by Horovod ranks, from the last checkpoint on."""
    call = make_call(target, runs, on, settings, None, ranks, as_json)
    refuse_study(call.job_file, "train", target)
    check_stages(call, ("train",))
    if dry_run:
        return show_plan(call)
    need_data(call)
    with show_progress(as_json) as listen:
        answer = train_network(call, listen, restart=restart, until_epoch=until_epoch)
    answer_call(call, answer, show.show_trained)
    return ExitCode.DONE


def evaluate(
    target: options.Target,
    runs: options.Runs = options.RUNS,
    on: options.On = "local",
    settings: options.Settings = None,
    ranks: options.Ranks = None,
    measured: Annotated[
        Path | None,
        typer.Option("--measured", metavar="TABLE", help="Also score measured spectra: CSV with file and composition."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="RUN", help="Score it on all samples of this other run instead."),
    ] = None,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
) -> int:
    """Score the trained network on samples it never saw, shared by the ranks: those held out, or another run's."""
    call = make_call(target, runs, on, settings, None, ranks, as_json)
    refuse_study(call.job_file, "evaluate", target)
    if data is not None and measured is not None:
        raise UsageError("--data and --measured ask for two answers", where="--data", try_="one call for each")
    surveys = read_measured_table(call.run, call.job_file, measured)
    if dry_run:
        return show_plan(call)
    need_data(call)
    with show_progress(as_json) as listen:
        answer = score_network(call, listen, data)
    if surveys is not None:
        answer |= {"measured": judge_measured(call.run, surveys)}
    answer_call(call, answer, show_scores)
    return ExitCode.DONE


def report(
    target: options.Target,
    runs: options.Runs = options.RUNS,
    settings: options.Settings = None,
    as_json: options.AsJson = False,
) -> int:
    """Write report.html: what ran, samples, loss curves, errors, cost, faults; one file that opens offline.

    The job's measured surveys are read first, if the run has a network that has not read them yet.
    """
    call = make_call(target, runs, "local", settings, None, None, as_json)
    refuse_study(call.job_file, "report", target)
    if not call.run.job.is_file():
        raise UsageError("there is nothing to report yet", where=str(call.run.path), try_=f"xpshpc run {target}")
    network = find_network(call.run)
    if network is not None and not is_analysed(call.run, network):
        analyze_job(call.run, call.job_file, network)
    page = report_run(call)
    answer_call(call, {"run": str(call.run.path), "report": str(page)}, show.show_report)
    return ExitCode.DONE
