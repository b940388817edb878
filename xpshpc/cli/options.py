"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from xpshpc.errors import UsageError

Target = Annotated[Path, typer.Argument(metavar="JOB|RUN", help="A job file, or the directory of a run.")]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="The directory of a run.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print exactly one JSON value on stdout.")]
Runs = Annotated[
    Path, typer.Option("--runs", envvar="XPSHPC_RUNS", metavar="DIR", help="Where runs of job files are kept.")
]
On = Annotated[str, typer.Option("--on", envvar="XPSHPC_ON", metavar="PROFILE", help="Profile: a name or a file.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting that wins over the job file, e.g. train.epochs=3."),
]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Worker processes that simulate.")]
Ranks = Annotated[int | None, typer.Option("--ranks", min=1, help="Horovod ranks that train and evaluate.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]

RUNS = Path("runs")


def parse_settings(settings: list[str] | None) -> dict[str, Any]:
    """`KEY=VALUE` texts as dotted keys and TOML values; a value that is no TOML is taken as a string."""
    import tomllib

    parsed: dict[str, Any] = {}
    for setting in settings or []:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"{setting!r} is not KEY=VALUE", where="--set", try_="--set train.epochs=3")
        try:
            parsed[key.strip()] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            parsed[key.strip()] = text
    return parsed
