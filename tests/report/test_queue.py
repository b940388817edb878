"""Each submitted job has its line, whatever SLURM remembers; a SLURM that is silent is said to be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from xpshpc.cluster.slurm.client import JobState, Slurm
from xpshpc.cluster.submission.record import Submission, SubmittedJob
from xpshpc.report.queue import NOT_SUBMITTED, WORKERS, ask_queue, order_jobs

SUBMISSION = Submission(
    "me", "login", 0.0, "minislurm", "mini", "token",
    (SubmittedJob("generate", "10", "g.sbatch"), SubmittedJob("train", None, "t.sbatch", ("10",))),
)  # fmt: skip


def test_stages_come_in_the_order_of_the_submission_and_workers_after_them() -> None:
    states = [
        JobState("12_10", "w", "PENDING", reason="Priority"),
        JobState("12_9", "w", "RUNNING", started=50.0, time_left_s=30.0, nodes="n1"),
        JobState("11", "t", "COMPLETED", started=10.0, ended=40.0, exit_code=0),
    ]
    jobs = list(order_jobs({"10": "generate", "11": "train"}, states, now=100.0))
    assert [(job.stage, job.job_id) for job in jobs] == [
        ("generate", "10"), ("train", "11"), (WORKERS, "12_9"), (WORKERS, "12_10"),
    ]  # fmt: skip
    forgotten, ended, running, waiting = jobs
    assert (forgotten.state, forgotten.active, forgotten.used_s) == ("", False, None)
    assert (ended.active, ended.used_s, ended.left_s) == (False, 30.0, None)
    assert (running.active, running.used_s, running.left_s) == (True, 50.0, 30.0)
    assert (waiting.active, waiting.used_s, waiting.left_s) == (True, None, None)


def test_a_run_without_jobs_asks_nobody() -> None:
    assert ask_queue(None, (), 0.0) == ask_queue(Submission("", "", 0.0, "", "", ""), (), 0.0)
    assert ask_queue(None, (), 0.0).slurm == NOT_SUBMITTED


@pytest.mark.skipif(shutil.which("squeue") is None, reason="no SLURM commands here; cluster/setup.sh installs them")
def test_a_slurm_that_cannot_be_reached_is_an_answer(tmp_path: Path) -> None:
    scheduler = Slurm(patience_s=0.0, environment={"SLURM_CONF": str(tmp_path / "none.conf")})
    queue = ask_queue(SUBMISSION, (), 0.0, scheduler)
    assert queue.slurm.startswith("does not answer: ")
    assert [(job.stage, job.state) for job in queue.jobs] == [("generate", "")]
