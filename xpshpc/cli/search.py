"""The command that compares trainings: search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xpshpc.cli import options
from xpshpc.cli.answer import console
from xpshpc.cli.call import Call, answer_call, make_call
from xpshpc.errors import ExitCode
from xpshpc.report.labels import is_share, split_unit, write_label
from xpshpc.report.quantities import write_count, write_duration, write_percent, write_value

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from xpshpc.search.result import SearchResult
    from xpshpc.search.room import Room

_SHOWN = 20
_TABLE_WIDTH = 160
_OTHER_STATES = ("failed", "stopped", "paused", "running")
_ENDED = {
    "complete": "every trial is done",
    "enough_trials": "search.budget.trials is reached",
    "out_of_time": "no other trial would end before search.budget.until",
    "out_of_core_hours": "another trial would take more than search.budget.core_hours",
    "out_of_gpu_hours": "another trial would take more than search.budget.gpu_hours",
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

    room = _room(call)
    if room.note and not call.as_json:
        console().print(f"room      {room.note}", markup=False)
    with TerminalProgress(quiet_in_logs=call.as_json) as listen:
        return run_trials(
            call.run, call.job_file, room, retry_failed=retry_failed, job_id=own_job() or "", on_event=listen
        )


def _room(call: Call) -> Room:
    from xpshpc.search.result import search_section
    from xpshpc.search.room import find_room

    return find_room(call.profile, call.ranks, search_section(call.job_file).parallel)


def _planned(call: Call) -> dict[str, Any]:
    """The answer of --dry-run: every trial that is known by now, how it stands, and what there is room for."""
    from xpshpc.search.result import choose_strategy, read_search
    from xpshpc.search.search import check_trials

    found, room = read_search(call.run, call.job_file), _room(call)
    check_trials(choose_strategy(call.job_file).examples, found.metric, call.job_file, call.ranks)
    plan = [
        {
            "id": trial.id,
            "name": trial.name,
            "parameters": dict(trial.parameters),
            "repeat": trial.repeat,
            "state": str(found.outcomes[trial.id].state),
        }
        for trial in found.trials
    ]
    place = {"ranks": call.ranks, "parallel": room.parallel, "threads_per_rank": room.threads_per_rank}
    return {**found.as_json(), **place, "note": room.note, "plan": plan, "dry_run": True}


def _show_planned(console: Console, answer: Mapping[str, Any]) -> None:
    from rich.table import Table

    keys = _keys(answer["plan"])
    table = Table(box=None, header_style="bold")
    for title in ("trial", "name", *_titles(keys), "repeat", "state"):
        table.add_column(title)
    for trial in answer["plan"]:
        values = (_value(trial["parameters"], key) for key in keys)
        table.add_row(trial["id"], trial["name"], *values, str(trial["repeat"] + 1), trial["state"])
    console.print(table)
    undecided = answer["trials"] - len(answer["plan"])
    if undecided:
        console.print(f"and {write_count(undecided)} that are drawn when their turn comes")
    _show_counts(console, answer)
    if answer["note"]:
        console.print(f"room      {answer['note']}", markup=False)
    console.print("nothing was done (--dry-run)")


def show_search(console: Console, answer: Mapping[str, Any]) -> None:
    """The points of a search in order of merit, what failed, and where the best network is."""
    board = answer["leaderboard"]
    if board:
        console.width = max(console.width, _TABLE_WIDTH)
        console.print(_draw_board(answer["metric"], board[:_SHOWN]))
        if len(board) > _SHOWN:
            console.print(f"and {len(board) - _SHOWN} more (--json tells all)")
    for failure in answer["failures"]:
        if failure["state"] == "failed":
            console.print(f"failed    {failure['id']} ({_describe(failure)}): {failure['why']}", markup=False)
    for trial in answer["unscored"]:
        console.print(f"unscored  {trial['id']} ({_describe(trial)}): {trial['why']}", markup=False)
    _show_counts(console, answer)
    if answer["ended"] in _ENDED:
        console.print(f"ended     {_ENDED[answer['ended']]}")
    if answer["best"]:
        console.print(f"best      {answer['best']['model']}   (trial {answer['best']['id']})", markup=False)


def _draw_board(metric: str, board: Sequence[Mapping[str, Any]]) -> Table:
    from rich.table import Table

    keys = _keys(board)
    others = [name for name in board[0]["validation"] if name != metric]
    held_out = [metric] if any(metric in point["held_out"] for point in board) else []
    intervals = any(point["interval"] is not None for point in board)
    published = [metric] if any(metric in point["published"] for point in board) else []
    named = ["point"] if any(point["name"] for point in board) else []
    table = Table(box=None, header_style="bold")
    table.add_column("", justify="right")
    for title in named:
        table.add_column(title)
    titles = [
        *_titles(keys),
        write_label(metric),
        *(["95 % interval"] if intervals else []),
        *(f"{write_label(name)}, held out" for name in held_out),
        *(f"{write_label(name)}, published" for name in published),
        *map(write_label, others),
        "trials",
        "a trial",
        "core hours",
    ]
    for title in titles:
        table.add_column(title, justify="right")
    for place, point in enumerate(board, start=1):
        table.add_row(
            str(place),
            *(point["name"] for _ in named),
            *(_value(point["parameters"], key) for key in keys),
            _write_mean(metric, point["mean"], point["spread"]),
            *([_write_interval(metric, point["interval"])] if intervals else []),
            *(_write_mean(name, point["held_out"].get(name), None) for name in held_out),
            *(_write_mean(name, point["published"].get(name), None) for name in published),
            *(_write_mean(name, point["validation"].get(name), None) for name in others),
            f"{point['repeats']}, {point['failed']} failed" if point["failed"] else str(point["repeats"]),
            write_duration(point["seconds"]),
            write_value(point["core_hours"], 3),
        )
    return table


def _show_counts(console: Console, answer: Mapping[str, Any]) -> None:
    to_come = answer["seconds_to_come"]
    left = sum(answer[state] for state in ("pending", "running", "paused"))
    time = f", {write_duration(to_come)} at the mean of those finished" if to_come and left else ""
    more = "".join(f", {write_count(answer[word])} {word}" for word in _OTHER_STATES if answer[word])
    console.print(
        f"trials    {write_count(answer['finished'])} of {write_count(answer['trials'])} finished{more}, "
        f"{write_count(answer['pending'])} to do{time}"
    )


def _describe(trial: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in trial["parameters"].items())


def _keys(told: Sequence[Mapping[str, Any]]) -> list[str]:
    """All parameters of these trials or points, in the order in which they come up."""
    return list(dict.fromkeys(key for each in told for key in each["parameters"]))


def _value(parameters: Mapping[str, Any], key: str) -> str:
    """A parameter; a point that does not name it has it as the job says."""
    value = parameters.get(key, "")
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _titles(keys: Sequence[str]) -> list[str]:
    """The last parts of dotted keys, or the whole keys where these would be the same."""
    short = [key.rpartition(".")[2] for key in keys]
    return short if len(set(short)) == len(short) else list(keys)


def _write_interval(metric: str, interval: float | None) -> str:
    """The half width of a mean's confidence interval."""
    return "" if interval is None else f"± {_write_mean(metric, interval, None)}"


def _write_mean(metric: str, mean: float | None, spread: float | None) -> str:
    if is_share(metric):
        text, wide = write_percent(mean), write_percent(spread)
    else:
        unit = split_unit(metric)[1]
        text, wide = f"{write_value(mean, 4)} {unit}".rstrip(), write_value(spread, 2)
    return text if spread is None else f"{text} ± {wide}"
