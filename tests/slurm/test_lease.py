"""Who owns a run whose coordinator was a SLURM job: the job while it lives, nobody once SLURM says it is over."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from xpshpc.cluster.minislurm import Cluster
from xpshpc.cluster.slurm.client import Slurm
from xpshpc.errors import UsageError
from xpshpc.run_directory import RunDirectory
from xpshpc.store.lease import read_owner, take_lease
from xpshpc.store.owner import slurm_says_over, this_owner

pytestmark = [pytest.mark.slurm, pytest.mark.faults]

COORDINATOR = """\
import sys, time
from pathlib import Path
from xpshpc.run_directory import RunDirectory
from xpshpc.store.lease import hold_lease
with hold_lease(RunDirectory(Path(sys.argv[1]))):
    time.sleep(600)
"""


@pytest.fixture
def coordinator(slurm_environment: Cluster, tmp_path: Path) -> tuple[RunDirectory, str]:
    """A run, and the job on a node that holds it."""
    if slurm_environment.plan.isolation == "none":
        pytest.skip("without namespaces a job's process numbers are this host's")
    (tmp_path / "coordinator.py").write_text(COORDINATOR)
    script = tmp_path / "coordinator.sbatch"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} {tmp_path}/coordinator.py "$1"\n')
    run = RunDirectory(tmp_path / "run")
    options = ["--output=/dev/null", "--requeue", "--time=10", "--mem=500M"]
    job_id = Slurm(patience_s=10).submit(script, [str(run.path)], options=options)
    wait_for(lambda: read_owner(run) is not None)
    return run, job_id


def test_a_job_that_runs_holds_its_run_and_a_cancelled_one_does_not(coordinator: tuple[RunDirectory, str]) -> None:
    run, job_id = coordinator
    with pytest.raises(UsageError, match=rf"being worked on by process \d+ on node\d+, job {job_id}, since"):
        take_lease(run, this_owner(time.time(), {}))
    Slurm(patience_s=10).cancel([job_id], signal="KILL")
    wait_for(lambda: read_owner(run, slurm_says_over) is None or not read_owner(run, slurm_says_over)[1])  # type: ignore[index]
    assert take_lease(run, this_owner(time.time(), {})).generation == 2


def test_a_job_that_lost_its_node_goes_on_elsewhere_without_waiting(
    coordinator: tuple[RunDirectory, str], slurm_environment: Cluster
) -> None:
    run, job_id = coordinator
    first = read_owner(run)
    assert first is not None and first[0].job_id == job_id and first[0].restarts == 0
    slurm_environment.kill_node(first[0].host)

    def next_life() -> bool:
        owner = read_owner(run)
        return owner is not None and owner[0].restarts == 1

    wait_for(next_life)
    second = read_owner(run, slurm_says_over)
    assert second is not None and second[1]
    assert (second[0].job_id, second[0].host != first[0].host) == (job_id, True)


def wait_for(happens: Callable[[], bool], deadline_s: float = 120) -> None:
    end = time.monotonic() + deadline_s
    while not happens():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)
