"""The command that compares trainings: search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xpshpc.cli import options
from xpshpc.cli.call import Call, answer_call, make_call
from xpshpc.errors import ExitCode
from xpshpc.report.labels import is_share, split_unit, write_label
from xpshpc.report.quantities import write_count, write_duration, write_percent, write_value

if TYPE_CHECKING:
    from rich.console import Console

    from xpshpc.search.result import SearchResult

_SHOWN = 20
_TABLE_WIDTH = 160
_ENDED = {
    "complete": "every trial is done",
    "enough_trials": "search.budget.trials is reached",
    "out_of_time": "no other trial would end before search.budget.until",
    "stopped": "stopped in good order; the same command goes on",
}


def add_commands(app: typer.Typer) -> None:
    """Adds this room's command to the program."""
    app.command()(search)


def search(
    target: options.Target,
    runs: options.Runs = options.RUNS,
    on: options.On = "local",
    settings: options.Settings = None,
    ranks: options.Ranks = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Also begin trials again that were given up.")
    ] = False,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
) -> int:
    """Train with other settings on the run's data set, as [search] says, and compare them. Can be called again."""
    call = make_call(target, runs, on, settings, None, ranks, as_json)
    if dry_run:
        answer_call(call, _planned(call), _show_planned)
    else:
        answer_call(call, _search(call, retry_failed).as_json(), show_search)
    return ExitCode.DONE


def _search(call: Call, retry_failed: bool) -> SearchResult:
    from xpshpc.cluster.slurm.client import own_job
    from xpshpc.report.progress import TerminalProgress
    from xpshpc.search.search import search as run_trials

    with TerminalProgress(quiet_in_logs=call.as_json) as listen:
        return run_trials(
            call.run,
            call.job_file,
            ranks=call.ranks,
            launcher=call.profile.launcher,
            threads_per_rank=call.threads_per_rank,
            step=call.step("search"),
            retry_failed=retry_failed,
            job_id=own_job() or "",
            on_event=listen,
        )


def _planned(call: Call) -> dict[str, Any]:
    """The answer of --dry-run: every trial and how it stands."""
    from xpshpc.search.result import read_search
    from xpshpc.search.search import check_trials

    found = read_search(call.run, call.job_file)
    check_trials(found.trials, found.metric, call.job_file, call.ranks)
    plan = [
        {
            "id": trial.id,
            "parameters": dict(trial.parameters),
            "repeat": trial.repeat,
            "state": str(found.outcomes[trial.id].state),
        }
        for trial in found.trials
    ]
    return {**found.as_json(), "ranks": call.ranks, "plan": plan, "dry_run": True}


def _show_planned(console: Console, answer: Mapping[str, Any]) -> None:
    from rich.table import Table

    keys = list(answer["plan"][0]["parameters"])
    table = Table(box=None, header_style="bold")
    for title in ("trial", *_titles(keys), "repeat", "state"):
        table.add_column(title)
    for trial in answer["plan"]:
        values = (str(trial["parameters"][key]) for key in keys)
        table.add_row(trial["id"], *values, str(trial["repeat"] + 1), trial["state"])
    console.print(table)
    _show_counts(console, answer)
    console.print("nothing was done (--dry-run)")


def show_search(console: Console, answer: Mapping[str, Any]) -> None:
    """The points of a search in order of merit, what failed, and where the best network is."""
    from rich.table import Table

    board = answer["leaderboard"]
    if board:
        keys = list(board[0]["parameters"])
        others = [name for name in board[0]["validation"] if name != answer["metric"]]
        table = Table(box=None, header_style="bold")
        table.add_column("", justify="right")
        for title in (*_titles(keys), write_label(answer["metric"]), *map(write_label, others), "trials", "a trial"):
            table.add_column(title, justify="right")
        for place, point in enumerate(board[:_SHOWN], start=1):
            table.add_row(
                str(place),
                *(str(point["parameters"][key]) for key in keys),
                _write_mean(answer["metric"], point["mean"], point["spread"]),
                *(_write_mean(name, point["validation"].get(name), None) for name in others),
                f"{point['repeats']}, {point['failed']} failed" if point["failed"] else str(point["repeats"]),
                write_duration(point["seconds"]),
            )
        console.width = max(console.width, _TABLE_WIDTH)
        console.print(table)
        if len(board) > _SHOWN:
            console.print(f"and {len(board) - _SHOWN} more (--json tells all)")
    for failure in answer["failures"]:
        if failure["state"] == "failed":
            values = ", ".join(f"{key} {value}" for key, value in failure["parameters"].items())
            console.print(f"failed    {failure['id']} ({values}): {failure['why']}", markup=False)
    _show_counts(console, answer)
    if answer["ended"] in _ENDED:
        console.print(f"ended     {_ENDED[answer['ended']]}")
    if answer["best"]:
        console.print(f"best      {answer['best']['model']}   (trial {answer['best']['id']})", markup=False)


def _show_counts(console: Console, answer: Mapping[str, Any]) -> None:
    to_come = answer["seconds_to_come"]
    time = f", {write_duration(to_come)} at the mean of those finished" if to_come and answer["pending"] else ""
    failed = f", {write_count(answer['failed'])} failed" if answer["failed"] else ""
    console.print(
        f"trials    {write_count(answer['finished'])} of {write_count(answer['trials'])} finished{failed}, "
        f"{write_count(answer['pending'])} to do{time}"
    )


def _titles(keys: Sequence[str]) -> list[str]:
    """The last parts of dotted keys, or the whole keys where these would be the same."""
    short = [key.rpartition(".")[2] for key in keys]
    return short if len(set(short)) == len(short) else list(keys)


def _write_mean(metric: str, mean: float | None, spread: float | None) -> str:
    if is_share(metric):
        text, wide = write_percent(mean), write_percent(spread)
    else:
        unit = split_unit(metric)[1]
        text, wide = f"{write_value(mean, 4)} {unit}".rstrip(), write_value(spread, 2)
    return text if spread is None else f"{text} ± {wide}"
