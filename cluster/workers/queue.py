"""A run's worker jobs in SLURM's queue: what they are called, and that none of them is left there."""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from collections.abc import Collection
from pathlib import Path

from xpshpc.cluster.profile import Profile
from xpshpc.cluster.slurm.client import Slurm
from xpshpc.errors import EnvironmentFault
from xpshpc.run_directory import RunDirectory

PATIENCE_S = 20.0
"""Seconds for which one request is repeated before other things are seen to."""

END_S = 15.0
"""Seconds that cancelled jobs have to go."""

_LOOK_S = 0.25


def worker_job_name(run: Path) -> str:
    """The name of a run's worker jobs in SLURM's queue; no other run has the same."""
    path = str(run.resolve())
    return f"{re.sub(r'[^A-Za-z0-9._-]', '_', run.name)[:60]}-workers-{hashlib.sha256(path.encode()).hexdigest()[:12]}"


def worker_script(run: RunDirectory) -> Path:
    """The batch script of a run's worker jobs, as the last coordinator submitted it."""
    return run.slurm / "workers" / "worker.sbatch"


def cancel_jobs(slurm: Slurm, job_name: str, tokens: Collection[str] | None = None, patience_s: float = 0.0) -> None:
    """Cancels all jobs of this name (and of these tokens), and waits for so many seconds until they are gone.

    Raises SlurmUnreachable, SlurmRefused.
    """
    end = time.monotonic() + patience_s
    while True:
        jobs = (job for job in slurm.jobs(name=job_name) if tokens is None or job.comment in tokens)
        active = [job.job_id for job in jobs if not job.over]
        if active:
            slurm.cancel(active)
        if not active or time.monotonic() >= end:
            return
        time.sleep(_LOOK_S)


def leave_none(job_name: str, tokens: Collection[str] | None = None) -> None:
    """Cancels the jobs of this name; with tokens our own alone, not those of a coordinator that took the run over.

    Where SLURM does not answer, the workers find out by themselves that nobody needs them.
    """
    with contextlib.suppress(EnvironmentFault):
        cancel_jobs(Slurm(patience_s=PATIENCE_S), job_name, tokens, END_S)


def end_leftovers(profile: Profile | None, run: RunDirectory) -> None:
    """Cancels what a coordinator that was killed at its very end has left in the queue of a complete data set."""
    if profile is not None and profile.slurm is not None and worker_script(run).exists():
        leave_none(worker_job_name(run.path))
