"""Who takes part when a one-machine SLURM makes a data set of the test science: profile, jobs, processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomli_w

from tests.coordinator import ROOT
from xpshpc.cluster.minislurm import Cluster
from xpshpc.cluster.process import ProcessId
from xpshpc.cluster.profile import Profile

COORDINATOR, KEEPER = "tests.coordinator", "xpshpc.cluster.workers.job"
WORKER = "--multiprocessing-fork"


def profile_of(cluster: Cluster, workers: int = 4, *, interface: str | None = None, **limits: Any) -> Profile:
    """Small worker jobs on this cluster, and an impatient coordinator; nodes meet by `interface`, if not by theirs."""
    return Profile.model_validate(
        {
            "name": "faults",
            "kind": "slurm",
            "workers": workers,
            "launcher": "srun-gloo",
            "slurm": {
                "partition": "main",
                "interface": interface or cluster.interface,
                "environment": [f"export PYTHONPATH={ROOT}"],
                "generate": {"mode": "jobs", "time": "00:10:00", "memory_per_worker": "500M"},
                "limits": {"stop_before_s": 10, "lost_after_s": 5.0, **limits},
            },
        }
    )


def write_profile(profile: Profile, file: Path) -> Path:
    """A profile as a file, for coordinators in processes of their own."""
    file.write_text(tomli_w.dumps(profile.model_dump(mode="json", exclude_none=True)))
    return file


def actors(cluster: Cluster) -> dict[str, list[ProcessId]]:
    """The coordinators, keepers of worker jobs, and workers on the nodes; their numbers are those of this process."""
    found: dict[str, list[ProcessId]] = {COORDINATOR: [], KEEPER: [], WORKER: []}
    for process in cluster.leftovers():
        for part in _parts(process):
            found[part].append(process)
    return found


def worker_jobs(cluster: Cluster) -> list[str]:
    """The running worker jobs."""
    return [job.id for job in cluster.status().jobs if "-workers-" in job.name and job.state == "running"]


def _parts(process: ProcessId) -> Iterator[str]:
    try:
        words = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return
    if "python" in Path(words[0]).name:
        yield from (part for part in (COORDINATOR, KEEPER, WORKER) if part in words)
