"""The command that compares trainings: search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xpshpc.cli import options
from xpshpc.cli.answer import console
from xpshpc.cli.call import Call, answer_call, make_call
from xpshpc.errors import ExitCode
from xpshpc.report.quantities import write_count, write_duration

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from xpshpc.events import Listener
    from xpshpc.search.result import SearchResult
    from xpshpc.search.room import Room

_SHOWN = 20
_TABLE_WIDTH = 160
_OTHER_STATES = ("failed", "stopped", "paused", "running")


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
    from xpshpc.report.progress import TerminalProgress

    call = make_call(target, runs, on, settings, None, ranks, as_json)
    if dry_run:
        answer_call(call, plan_search(call), _show_planned)
        return ExitCode.DONE
    room = find_search_room(call)
    with TerminalProgress(quiet_in_logs=as_json) as listen:
        found = search_in(call, room, listen, retry_failed=retry_failed)
    answer_call(call, found.as_json(), show_search)
    return ExitCode.DONE


def search_in(call: Call, room: Room, listen: Listener, *, retry_failed: bool = False) -> SearchResult:
    """Trains what is missing of the call's search."""
    from xpshpc.cluster.slurm.client import own_job
    from xpshpc.search.search import search as run_trials

    return run_trials(call.run, call.job_file, room, retry_failed=retry_failed, job_id=own_job() or "", on_event=listen)


def find_search_room(call: Call) -> Room:
    """Where the call's trials run, and how many at a time; people are told why, where more were asked for."""
    room = _room(call)
    if room.note and not call.as_json:
        console().print(f"room      {room.note}", markup=False)
    return room


def _room(call: Call) -> Room:
    from xpshpc.search.result import search_section
    from xpshpc.search.room import find_room

    return find_room(call.profile, call.ranks, search_section(call.job_file).parallel)


def plan_search(call: Call) -> dict[str, Any]:
    """The answer of --dry-run: every trial that is known by now, how it stands, and what there is room for."""
    from xpshpc.search.result import choose_strategy, read_search, search_section
    from xpshpc.search.search import check_budget, check_trials

    found, room = read_search(call.run, call.job_file), _room(call)
    examples = choose_strategy(call.job_file).examples
    check_trials(examples, found.metric, call.job_file, call.ranks, call.profile.launcher)
    check_budget(search_section(call.job_file).budget, room)
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
    show_trials(console, answer)
    console.print("nothing was done (--dry-run)")


def show_trials(console: Console, answer: Mapping[str, Any]) -> None:
    """Every trial that is planned or was begun, and how it stands."""
    from rich.table import Table
    from rich.text import Text

    from xpshpc.report.parameters import title_keys, write_parameter
    from xpshpc.report.search_tables import parameters_of

    keys = parameters_of(answer["plan"])
    table = Table(box=None, header_style="bold")
    for title in ("trial", "name", *title_keys(keys), "repeat", "state"):
        table.add_column(title)
    for trial in answer["plan"]:
        values = (write_parameter(trial["parameters"][key]) if key in trial["parameters"] else "" for key in keys)
        row = (trial["id"], trial["name"], *values, str(trial["repeat"] + 1), trial["state"])
        table.add_row(*map(Text, row))
    console.width = max(console.width, _TABLE_WIDTH)
    console.print(table)
    undecided = answer["trials"] - len(answer["plan"])
    if undecided:
        console.print(f"and {write_count(undecided)} that are drawn when their turn comes")
    _show_counts(console, answer)
    if answer["note"]:
        console.print(f"room      {answer['note']}", markup=False)


def show_search(console: Console, answer: Mapping[str, Any]) -> None:
    """The points of a search in order of merit, what failed, and where the best network is."""
    from xpshpc.report.search_page import ENDED
    from xpshpc.report.search_tables import describe, list_sources

    board = answer["leaderboard"]
    if board:
        console.width = max(console.width, _TABLE_WIDTH)
        console.print(_draw_board(answer["metric"], board[:_SHOWN]))
        if len(board) > _SHOWN:
            console.print(f"and {len(board) - _SHOWN} more (--json tells all)")
    for source in list_sources(board):
        console.print(f"published {source}", markup=False)
    for failure in answer["failures"]:
        if failure["state"] == "failed":
            console.print(f"failed    {failure['id']} ({describe(failure)}): {failure['why']}", markup=False)
    for trial in answer["unscored"]:
        console.print(f"unscored  {trial['id']} ({describe(trial)}): {trial['why']}", markup=False)
    _show_counts(console, answer)
    if answer["ended"] in ENDED:
        console.print(f"ended     {ENDED[answer['ended']]}")
    if answer["best"]:
        console.print(f"best      {answer['best']['model']}   (trial {answer['best']['id']})", markup=False)


def _draw_board(metric: str, board: Sequence[Mapping[str, Any]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from xpshpc.report.search_tables import tabulate_points

    told = tabulate_points(metric, board)
    table = Table(box=None, header_style="bold")
    for title in told.columns:
        table.add_column(title, justify="left" if title == "Point" else "right")
    for row in told.rows:
        table.add_row(*map(Text, row))
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
