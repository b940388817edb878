"""The batch script of a worker job, as dask-jobqueue writes it for what the profile asks."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from dask_jobqueue.slurm import SLURMJob

from xpshpc.cluster.profile import Profile
from xpshpc.cluster.site import Site, megabytes, seconds
from xpshpc.cluster.workers.dask_settings import START_S, WORKER_ENVIRONMENT

MEMORY_SHARE = 0.85
"""What of its memory a job gives to its workers; the rest is for the process that keeps them."""

ARRAY_NAME = "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
"""A worker's name is its job's, which the shell on the node knows: one script serves a whole job array."""


class WorkerJob(SLURMJob):  # type: ignore[misc]  # dask-jobqueue's classes are untyped
    """A worker job. Certificates and the network interface reach it by our own options, quoted for the shell."""

    def __init__(
        self,
        scheduler: str | None = None,
        name: str | None = None,
        *,
        security: Any = None,
        interface: str | None = None,
        protocol: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(scheduler, name, **options)


def worker_job_options(
    profile: Profile, *, job_name: str, logs: Path, scratch: Path, certificates: Path | None, token: str
) -> dict[str, Any]:
    """What dask-jobqueue must know of the worker jobs of a profile.

    `scratch` serves where the profile names none; `token` is the comment of jobs that Dask itself asks for.
    """
    site = profile.site
    generate = site.generate
    memory = generate.workers_per_job * megabytes(generate.memory_per_worker)
    limit = seconds(generate.time)
    extra = [f"--workers {generate.workers_per_job}", f"--scratch {shlex.quote(profile.scratch or str(scratch))}"]
    extra += [f"--lifetime {max(limit - site.limits.stop_before_s, limit // 2)}"]
    extra += [f"--lost-after {site.limits.lost_after_s:g}"]
    if site.interface is not None:
        extra += [f"--interface {shlex.quote(site.interface)}"]
    if certificates is not None:
        extra += [f"--certificates {shlex.quote(str(certificates))}"]
    return {
        "job_name": job_name,
        "queue": generate.partition or site.partition,
        "account": site.account,
        "walltime": generate.time,
        "cores": generate.workers_per_job,
        "processes": generate.workers_per_job,
        "job_cpu": generate.workers_per_job * generate.cpus_per_worker,
        "memory": f"{int(memory * MEMORY_SHARE)}MiB",
        "job_mem": f"{memory}M",
        "job_extra_directives": _directives(site, logs, token),
        "job_script_prologue": prologue(site),
        # The shell gives its place to the worker's keeper, which so gets the signals that SLURM sends to the shell.
        "python": f"exec {shlex.quote(site.python or sys.executable)}",
        "worker_command": "xpshpc.cluster.workers.job",
        "worker_extra_args": extra,
        "death_timeout": int(START_S),
        "log_directory": None,
        "local_directory": None,
    }


def prologue(site: Site) -> list[str]:
    """The shell lines before the worker: the site's modules and environment, and what must be set before Python."""
    modules = [f"module load {shlex.quote(module)} || exit 1" for module in site.modules]
    exports = [f"export {name}={value}" for name, value in WORKER_ENVIRONMENT.items()]
    return [*modules, *site.environment, *exports]


def log_file(logs: Path, job_id: str) -> Path:
    """Where the output of a worker job ("123_4") is."""
    return logs / f"{job_id}.log"


def _directives(site: Site, logs: Path, token: str) -> list[str]:
    generate = site.generate
    wishes = {
        "qos": generate.qos or site.qos,
        "constraint": generate.constraint or site.constraint,
        "reservation": site.reservation,
    }
    pattern = str(logs).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    name = "%j" if generate.adaptive else "%A_%a"
    return [
        *(f"--{wish}={value}" for wish, value in wishes.items() if value is not None),
        *site.options,
        "--no-requeue",
        f"--comment={token}",
        f"--signal=B:TERM@{site.limits.stop_before_s}",
        f'--output="{pattern}/{name}.log"',
    ]
