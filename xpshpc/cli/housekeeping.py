"""Commands that tidy up: clean."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from xpshpc.cli import options, show
from xpshpc.cli.answer import console, print_json
from xpshpc.errors import ExitCode, UsageError


def add_commands(app: typer.Typer) -> None:
    """Adds this room's commands to the program."""
    app.command()(clean)


def clean(
    run: options.Run,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what is in the directory and no run puts there.")
    ] = False,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
) -> int:
    """Put a run back to nothing: data, network, answers and report. Says what will go, and asks first."""
    from xpshpc.report.progress import TerminalProgress
    from xpshpc.run_directory import RunDirectory
    from xpshpc.store.clean import check_idle, clean_run, survey_run

    remains = survey_run(run, everything=everything)
    wanted = bool(remains.going) and not dry_run
    if wanted:
        check_idle(RunDirectory(run))
        if not yes and (as_json or not sys.stdin.isatty()):
            raise UsageError(
                "this removes a run and would ask first, but nobody is here to answer",
                where=str(run),
                try_=f"xpshpc clean {run} --dry-run, then xpshpc clean {run} --yes",
            )
    if not as_json:
        show.show_remains(console(), remains)
    if wanted and not yes:
        wanted = typer.confirm("Remove all this?")
    if wanted:
        with TerminalProgress(quiet_in_logs=True) as listen:
            clean_run(run, everything=everything, on_event=listen)
    if as_json:
        print_json({**remains.as_json(), "removed": wanted})
    elif remains.going:
        console().print("removed" if wanted else "nothing was removed")
    return ExitCode.DONE
