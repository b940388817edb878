"""Commands that look: status, explain, verify, doctor; and retry, for what they found."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import asdict
from typing import Annotated, Any

import typer

from xpshpc.cli import options, show, show_shards, status_page
from xpshpc.cli.answer import console, print_json
from xpshpc.cli.study import is_study, show_study_status
from xpshpc.errors import EnvironmentFault, ExitCode, UsageError

WATCH_INTERVAL_S = 5.0
_QUESTION_S = 10.0


def add_commands(app: typer.Typer) -> None:
    """Adds this room's commands to the program."""
    for command in (status, explain, retry, verify, doctor):
        app.command()(command)


def status(
    run: options.Run,
    seconds: Annotated[
        float | None, typer.Argument(min=0.1, metavar="SECONDS", help="With --watch: the time between two looks (5).")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Look again and again, until the run is done.")] = False,
    as_json: options.AsJson = False,
) -> int:
    """How far a run is: counts, rate, time left, cost, jobs, last errors. Reads files only, so any login node will do.

    SLURM is asked about a run that was submitted; no answer is shown as such.
    """
    from xpshpc.report.status import read_status
    from xpshpc.run_directory import open_run

    if as_json and watch:
        raise UsageError(
            "--json prints one value, --watch many", where="xpshpc status", try_=f"xpshpc status {run} --json"
        )
    if seconds is not None and not watch:
        raise UsageError(
            "SECONDS goes with --watch", where="xpshpc status", try_=f"xpshpc status {run} --watch {seconds:g}"
        )
    found, job_file = open_run(run)
    if is_study(job_file):
        every_s = (seconds or WATCH_INTERVAL_S) if watch else None
        show_study_status(found, job_file, as_json=as_json, every_s=every_s)
        return ExitCode.DONE
    if watch:
        status_page.watch_status(console(), lambda: read_status(found), seconds or WATCH_INTERVAL_S)
        return ExitCode.DONE
    state = read_status(found)
    if as_json:
        print_json(state.as_json())
    else:
        status_page.show_status(console(), state)
    return ExitCode.DONE


def explain(
    run: options.Run,
    shard: Annotated[int | None, typer.Argument(metavar="SHARD", help="The number of a shard.")] = None,
    sample: Annotated[int | None, typer.Option("--sample", help="The shard that holds this sample.")] = None,
    as_json: options.AsJson = False,
) -> int:
    """A shard's whole story: its samples, every attempt with worker, cause and decision, and the commit that stands."""
    from xpshpc.report.shard_story import find_shard, tell_shard
    from xpshpc.run_directory import open_run

    found, _ = open_run(run)
    story = tell_shard(found, find_shard(found, shard, sample))
    if as_json:
        print_json({**story.as_json(), **({} if sample is None else {"sample": sample, "fate": story.fate_of(sample)})})
    else:
        show_shards.show_story(console(), story, sample)
    return ExitCode.DONE


def retry(
    run: options.Run,
    quarantined: Annotated[bool, typer.Option("--quarantined", help="The samples in quarantine.")] = False,
    cause: Annotated[str | None, typer.Option("--cause", help="Only those left out for this cause.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
) -> int:
    """Put shards with samples in quarantine back to pending, so that `generate` tries these again. Asks first."""
    from xpshpc.cluster.slurm.client import Slurm
    from xpshpc.cluster.submission.submit import refuse_awaited
    from xpshpc.report.progress import TerminalProgress
    from xpshpc.run_directory import open_run
    from xpshpc.store.clean import check_idle
    from xpshpc.store.retry import release_quarantine, survey_quarantine

    if not quarantined:
        raise UsageError(
            "say what is to be tried again", where="xpshpc retry", try_=f"xpshpc retry {run} --quarantined --dry-run"
        )
    found, job_file = open_run(run)
    with TerminalProgress(quiet_in_logs=True) as listen:
        there = survey_quarantine(found, job_file, cause, on_event=listen)
    wanted = bool(there.shards) and not dry_run
    if wanted:
        check_idle(found)
        with suppress(EnvironmentFault):  # a SLURM that does not answer, or is not here, is no reason to refuse
            refuse_awaited(found.path, Slurm(patience_s=_QUESTION_S))
        if not yes and (as_json or not sys.stdin.isatty()):
            raise UsageError(
                "this takes shards out of the data set and would ask first, but nobody is here to answer",
                where=str(run),
                try_=f"xpshpc retry {run} --quarantined --dry-run, then with --yes",
            )
    if not as_json:
        show_shards.show_quarantine(console(), there)
    if wanted and not yes:
        wanted = typer.confirm("Put these shards back to pending?")
    released = release_quarantine(found, there) if wanted else ()
    if as_json:
        print_json({**there.as_json(), "released": list(released)})
    elif wanted:
        show_shards.show_released(console(), str(run), len(released), found.model.is_file())
    elif there.shards:
        console().print("nothing was changed")
    return ExitCode.DONE


def verify(
    run: options.Run,
    repair: Annotated[
        bool, typer.Option("--repair", help="Forget damaged shards, so that `generate` makes them again.")
    ] = False,
    as_json: options.AsJson = False,
) -> int:
    """Read the whole store again and check every hash against its record; names damaged shards and samples."""
    from xpshpc.report.progress import TerminalProgress
    from xpshpc.run_directory import open_run
    from xpshpc.store.repair import repair as forget
    from xpshpc.store.verify import verify as check

    found, job_file = open_run(run)
    with TerminalProgress(quiet_in_logs=as_json) as listen:
        result = check(found, job_file, on_event=listen)
    repaired = forget(found, job_file, result) if repair and not result.ok else []
    answer = {**result.as_json(), "repaired": list(repaired)}
    if as_json:
        print_json(answer)
    else:
        show.show_verified(console(), answer, run)
    return ExitCode.DONE if result.ok else ExitCode.VERIFICATION


def doctor(
    runs: options.Runs = options.RUNS,
    on: options.On = "local",
    quick: Annotated[bool, typer.Option("--quick", help="Without starting ranks or jobs.")] = False,
    as_json: options.AsJson = False,
) -> int:
    """Is this machine able to do it? Checks versions, MPI, Horovod, disk and SLURM, with the cure for each failure.

    With --on and the profile of a SLURM site, short jobs look at its nodes as well.
    """
    from xpshpc.cluster.profile import read_profile
    from xpshpc.cluster.readiness.doctor import examine, exit_code

    checks = []
    out = None if as_json else console()
    for check in examine(runs, profile=read_profile(on), quick=quick):
        checks.append(check)
        if out is not None:
            show.show_check(out, check)
    code = exit_code(checks)
    if as_json:
        answer: dict[str, Any] = {"ok": code == ExitCode.DONE, "checks": [_as_json(check) for check in checks]}
        print_json(answer)
    return code


def _as_json(check: Any) -> dict[str, Any]:
    return {key: str(value) for key, value in asdict(check).items()}
