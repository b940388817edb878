"""What a real SLURM knows of a run's jobs is in its status; and a SLURM that falls silent is said to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_errors import xpshpc
from tests.coordinator import wait_until
from tests.train.stored_run import small_job, store_run
from xpshpc.cluster.minislurm import Cluster
from xpshpc.cluster.slurm.client import Slurm
from xpshpc.cluster.submission.record import Submission, SubmittedJob, write_submission
from xpshpc.events import EventLog
from xpshpc.generate.events import WorkersRequested
from xpshpc.report.status import Status, read_status
from xpshpc.run_directory import RunDirectory

pytestmark = pytest.mark.slurm

SLEEPING = "#!/bin/sh\nexec sleep 300\n"


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A run whose data is half made."""
    job_file = small_job(tmp_path, samples=320)
    return store_run(tmp_path, job_file, leave_out=frozenset(range(5, 10)))


def submit(run: RunDirectory, folder: Path) -> list[str]:
    """A stage that runs, one that waits for it, and an array of two workers; the run's files speak of all three."""
    slurm, script = Slurm(patience_s=30.0), folder / "sleep.sbatch"
    script.write_text(SLEEPING)
    quiet = ("--output=/dev/null", "--mem=100M", "--time=5")
    first = slurm.submit(script, options=quiet)
    second = slurm.submit(script, options=(*quiet, f"--dependency=afterok:{first}"))
    workers = slurm.submit(script, options=quiet, array=range(2))
    jobs = (SubmittedJob("generate", first, "g.sbatch"), SubmittedJob("train", second, "t.sbatch", (first,)))
    write_submission(run.path, Submission("me", "here", 0.0, "minislurm", "mini", "token", jobs))
    with EventLog(run.events) as log:
        log.emit(WorkersRequested(2, (workers,)))
    return [first, second, workers]


def states(status: Status) -> list[tuple[str, str]]:
    return [(job.stage, job.state) for job in status.jobs]


def test_the_jobs_of_stages_and_workers_are_told_with_their_states(
    run: RunDirectory, tmp_path: Path, slurm_environment: Cluster
) -> None:
    first, second, workers = submit(run, tmp_path)
    expected = [("generate", "RUNNING"), ("train", "PENDING"), ("workers", "RUNNING"), ("workers", "RUNNING")]
    wait_until(lambda: states(read_status(run)) == expected)
    answer = json.loads(xpshpc("status", run.path, "--json", folder=tmp_path).stdout)
    generate, train, *rest = answer["jobs"]
    assert (generate["job_id"], train["job_id"]) == (first, second)
    assert generate["nodes"].startswith("node") and 0 < generate["left_s"] <= 300
    assert train["reason"] == "Dependency"
    assert {job["job_id"] for job in rest} == {f"{workers}_0", f"{workers}_1"}
    page = xpshpc("status", run.path, folder=tmp_path).stdout
    assert "worker jobs: 2 RUNNING" in page and "Dependency" in page
    Slurm(patience_s=30.0).cancel([first, workers])
    wait_until(lambda: dict(states(read_status(run)))["generate"] == "CANCELLED")


def test_a_controller_that_is_gone_is_said_and_the_files_are_told_all_the_same(
    run: RunDirectory, tmp_path: Path, slurm_environment: Cluster
) -> None:
    submit(run, tmp_path)
    slurm_environment.stop_controller()
    status = read_status(run)
    assert status.slurm.startswith("does not answer: ")
    assert [(job.stage, job.state) for job in status.jobs] == [("generate", ""), ("train", "")]
    assert (status.planned, status.committed) == (320, 160)
    page = xpshpc("status", run.path, folder=tmp_path)
    assert page.returncode == 0 and "SLURM     does not answer" in page.stdout
    slurm_environment.start_controller()
    wait_until(lambda: read_status(run).slurm == "answered")
