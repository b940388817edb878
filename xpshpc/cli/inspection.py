"""Commands that look: status, verify, fid, doctor."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from xpshpc.cli import options, show
from xpshpc.cli.answer import console, print_json
from xpshpc.errors import ExitCode


def add_commands(app: typer.Typer) -> None:
    """Adds this room's commands to the program."""
    for command in (status, verify, fid, doctor):
        app.command()(command)


def status(run: options.Run, as_json: options.AsJson = False) -> int:
    """How far a run is: counts, rate, time left, cost, last errors. Reads files only, so it works while others run."""
    from xpshpc.report.status import read_status
    from xpshpc.run_directory import open_run

    found, _ = open_run(run)
    state = read_status(found)
    if as_json:
        print_json(state.as_json())
    else:
        show.show_status(console(), state)
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


def fid(
    a: Annotated[Path, typer.Argument(metavar="A", help="An .npz file with one array `features` (n, d).")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another of the same extractor.")],
    ranks: Annotated[int, typer.Option("--ranks", min=1, help="Ranks that share the rows.")] = 1,
    as_json: options.AsJson = False,
) -> int:
    """Fréchet distance between two sets of features, with its split-half baseline."""
    from xpshpc.evaluate.fid import fid as compare

    answer = compare(a, b, ranks=ranks).as_json()
    if as_json:
        print_json(answer)
    else:
        show.show_fid(console(), answer)
    return ExitCode.DONE


def doctor(
    runs: options.Runs = options.RUNS,
    on: options.On = "local",
    quick: Annotated[bool, typer.Option("--quick", help="Without starting ranks.")] = False,
    as_json: options.AsJson = False,
) -> int:
    """Is this machine able to do it? Checks versions, MPI, Horovod, disk and SLURM, with the cure for each failure."""
    from xpshpc.cluster.doctor import examine, exit_code
    from xpshpc.cluster.profile import read_profile

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
