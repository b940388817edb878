"""`xpshpc status` tells how a run stands, to people and to programs, once or until it is done."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.cli.test_errors import xpshpc
from tests.coordinator import heed_interrupts
from tests.train.stored_run import small_job, store_run
from xpshpc.cli.status_page import align, describe_status, watch_status
from xpshpc.cluster.submission.record import Submission, SubmittedJob, write_submission
from xpshpc.events import EventLog, StageFinished
from xpshpc.generate.events import ShardFailed
from xpshpc.report.queue import QueuedJob
from xpshpc.report.status import Status, read_status
from xpshpc.run_directory import RunDirectory, write_atomically
from xpshpc.store.lease import read_owner
from xpshpc.store.stage import READERS, hold_stage
from xpshpc.train.history import EpochFinished, history_path, write_history

KEYS = {
    "run", "stage", "working", "owner", "planned", "committed", "quarantined", "pending", "shards", "shards_committed",
    "shards_running", "shards_pending", "rate", "time_left_s", "core_hours", "bytes", "failed_attempts", "errors",
    "training", "evaluation", "jobs", "slurm", "workers", "core_hours_to_come", "gpu_hours", "gpu_hours_to_come",
}  # fmt: skip
GPU_PROFILE = """
name = "site"
kind = "slurm"
workers = 4
launcher = "srun-gloo"
[slurm]
partition = "main"
[slurm.train]
nodes = 2
gpus_per_node = 4
time = "01:00:00"
"""


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """Ten shards of 32, two of them to do, two samples in quarantine."""
    return store_run(
        tmp_path, small_job(tmp_path, samples=320), quarantined={0: 2}, leave_out=frozenset({4, 7})
    )  # fmt: skip


def whole(run: RunDirectory) -> Status:
    """A status of a run with nothing left to do."""
    return replace(read_status(run), pending=0, evaluation={"accuracy": 1.0})


def test_counts_add_up_and_what_is_to_come_costs_what_came_before(run: RunDirectory) -> None:
    status = read_status(run)
    assert (status.planned, status.committed, status.quarantined, status.pending) == (320, 254, 2, 64)
    assert (status.shards, status.shards_committed, status.shards_pending, status.records_read) == (10, 8, 2, 8)
    assert status.core_hours == pytest.approx(8 * 0.1 / 3600)
    assert status.core_hours_to_come == pytest.approx(status.core_hours / 4)
    assert (status.slurm, status.jobs, status.workers, status.complete) == ("", (), 0, False)


def test_gpu_hours_are_those_of_the_profile_it_was_submitted_to(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(GPU_PROFILE)
    write_history(history_path(run), [EpochFinished(n, 5, 0.1, {}, 900.0, 1.0, 0.1, 0.0) for n in (1, 2)])
    assert read_status(run).gpu_hours is None
    write_submission(run.path, Submission("me", "login", 0.0, str(tmp_path / "site.toml"), "c", "token"))
    status = read_status(run)
    assert (status.gpu_hours, status.gpu_hours_to_come) == (pytest.approx(4.0), pytest.approx(6.0))
    (tmp_path / "site.toml").unlink()
    assert read_status(run).gpu_hours is None, "a profile that is gone is no error"


def test_a_run_is_complete_when_nothing_and_nobody_is_left(run: RunDirectory) -> None:
    job = QueuedJob("train", "7", "PENDING", True, "Dependency", "", None, None, None, 0)
    assert not read_status(run).complete
    assert whole(run).complete
    assert not replace(whole(run), working=True).complete
    assert not replace(whole(run), jobs=(job,)).complete
    assert replace(whole(run), jobs=(replace(job, state="COMPLETED", active=False),)).complete
    silent = replace(whole(run), evaluation=None, idle_s=3600.0)
    assert silent.complete
    assert not replace(silent, idle_s=1.0).complete, "the next stage may be about to begin"
    assert replace(silent, idle_s=1.0, generator=True).complete, "nothing comes after a generator"
    assert not replace(silent, busy={"train": "process 7"}).complete, "it may be silent for long"


@pytest.mark.parametrize("stage", READERS)
def test_whoever_has_a_stage_in_hand_is_at_work_and_named(run: RunDirectory, stage: str) -> None:
    with hold_stage(run, stage):
        status = replace(whole(run), idle_s=3600.0)
        owned = read_owner(run, stage=stage)
        assert owned is not None and status.busy == {stage: str(owned[0])} and not status.complete
        first, *_ = describe_status(status)
        assert first.endswith(f", working, {owned[0]}")
    assert read_status(run).busy == {} and replace(whole(run), idle_s=3600.0).complete


def test_after_a_generator_is_made_a_run_is_complete_at_once_and_after_another_network_it_is_not(
    run: RunDirectory,
) -> None:
    def trained(**validation: float) -> Status:
        write_atomically(run.model_card, json.dumps({"training": {"validation": validation}}).encode())
        with EventLog(run.train / "events.jsonl") as log:
            log.emit(StageFinished("train", 1.0))
        return replace(read_status(run), pending=0)

    made, other = trained(loss=0.4, d_loss=0.3, g_loss=0.1), trained(loss=0.4, accuracy=0.9)
    assert made.complete and "complete" in next(describe_status(made))
    assert not other.complete, "its scores may be about to begin"
    for torn in (b"", b"[]", b'{"training": []}', b'{"training": {"validation": 1}}'):
        write_atomically(run.model_card, torn)
        assert not read_status(run).generator
    run.model_card.unlink()
    assert not read_status(run).generator


def test_the_page_tells_jobs_workers_and_estimates(run: RunDirectory) -> None:
    stage = QueuedJob("generate", "17", "RUNNING", True, "None", "n1", 65.0, 600.0, None, 1)
    workers = [QueuedJob("workers", f"18_{n}", "RUNNING", True, "None", "n2", 1.0, 1.0, None, 0) for n in range(3)]
    workers.append(QueuedJob("workers", "18_3", "PENDING", True, "Priority", "", None, None, None, 0))
    status = replace(
        read_status(run), jobs=(stage, *workers), slurm="answered", working=True, workers=3, rate=12.0,
        time_left_s=30.0, records_read=2, gpu_hours=1.5, gpu_hours_to_come=3.0,
    )  # fmt: skip
    page = "\n".join(describe_status(status))
    for words in (
        "254 of 320 samples, 2 in quarantine, 64 to do", "3 connected", "12.0 samples/s, 30 s left",
        "1.50 GPU-hours of training so far, 3.00 to come",
        "generate  17   RUNNING  n1    1 min 05 s  10 min 00 s", "worker jobs: 3 RUNNING, 1 PENDING (Priority)",
        "from 2 of 8 records",
    ):  # fmt: skip
        assert words in page, page
    silent = "\n".join(describe_status(replace(status, slurm="does not answer: timed out", jobs=())))
    assert "SLURM     does not answer: timed out" in silent


def test_columns_without_anything_are_left_out() -> None:
    assert list(align(("a", "b", "c"), [("1", "", "x"), ("22", "", "y")])) == ["a   c", "1   x", "22  y"]


def test_in_a_log_each_look_is_a_block_and_the_last_is_the_complete_one(run: RunDirectory) -> None:
    looks = iter([read_status(run), read_status(run), whole(run)])
    out = Console(file=StringIO(), width=200)
    slept: list[float] = []
    watch_status(out, lambda: next(looks), 7.0, sleep=slept.append, clock=lambda: 0.0)
    text = out.file.getvalue()  # type: ignore[attr-defined]
    assert (text.count("--- 19"), text.count("64 to do"), text.count("0 to do")) == (3, 2, 1)
    assert slept == [7.0, 7.0]


@pytest.mark.programs
def test_programs_get_one_value_with_the_keys_they_know(run: RunDirectory, tmp_path: Path) -> None:
    with EventLog(run.events) as log:
        log.emit(ShardFailed(4, 1, "crash", "of [bold] words", "retry", "h", 1, 0.5))
    answer: dict[str, Any] = json.loads(xpshpc("status", run.path, "--json", folder=tmp_path).stdout)
    assert answer.keys() >= KEYS
    assert answer["errors"] == ["shard 4, attempt 1: crash, of [bold] words"]
    assert "of [bold] words" in xpshpc("status", run.path, folder=tmp_path).stdout
    for wrong in (("--json", "--watch"), ("3",)):
        assert xpshpc("status", run.path, *wrong, folder=tmp_path).returncode == 2


@pytest.mark.programs
def test_a_slurm_that_is_not_there_is_said_and_is_no_error(run: RunDirectory, tmp_path: Path) -> None:
    submission = Submission("me", "login", 0.0, "local", "c", "token", (SubmittedJob("generate", "12", "g.sbatch"),))
    write_submission(run.path, submission)
    environment = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "xpshpc", "status", str(run.path)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "no squeue on this machine" in done.stdout and "generate  12   not known" in done.stdout


@pytest.mark.programs
def test_on_a_terminal_it_is_drawn_again_and_ctrl_c_ends_it_well(run: RunDirectory) -> None:
    terminal, side = pty.openpty()
    command = [sys.executable, "-m", "xpshpc", "status", str(run.path), "--watch", "0.2"]
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), side)
    with subprocess.Popen(command, **streams, start_new_session=True, preexec_fn=heed_interrupts) as watching:
        os.close(side)
        try:
            seen = b""
            end = time.monotonic() + 60
            while seen.count(b"64 to do") < 3:
                assert time.monotonic() < end and watching.poll() is None, seen
                if select.select([terminal], [], [], 1.0)[0]:
                    seen += os.read(terminal, 65536)
            watching.send_signal(signal.SIGINT)
            while select.select([terminal], [], [], 1.0)[0]:
                try:
                    if not os.read(terminal, 65536):
                        break
                except OSError:
                    break
            assert watching.wait(timeout=60) == 0
        finally:
            watching.kill()
            os.close(terminal)
