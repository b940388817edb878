"""A job file or a run's directory, as a command was given it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xpshpc.cli.options import parse_settings
from xpshpc.errors import UsageError

if TYPE_CHECKING:
    from xpshpc.config import JobFile
    from xpshpc.run_directory import RunDirectory


def find_target(target: Path, runs: Path, settings: list[str] | None) -> tuple[RunDirectory, JobFile]:
    """The run and the job that JOB|RUN means; `settings` win over either's. Nothing is made on the disk.

    Raises UsageError for neither a job file nor a run.
    """
    from xpshpc.config import read_job
    from xpshpc.run_directory import RunDirectory

    overrides = parse_settings(settings)
    if target.is_dir():
        run = RunDirectory(target)
        if not run.job.is_file():
            raise UsageError("no run here (job.toml is missing)", where=str(target), try_="xpshpc run jobs/demo.toml")
        return run, read_job(run.job, overrides)
    job_file = read_job(target, overrides)
    return RunDirectory(runs / job_file.job.name), job_file
