from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from tests.slurm.commands import batch_script, wait_until
from xpshpc.cluster.slurm.client import JobState, Slurm
from xpshpc.cluster.submission.ending import FIRST_DELAY_S
from xpshpc.cluster.submission.history import JobEvent, read_history

pytestmark = [pytest.mark.slurm, pytest.mark.faults, pytest.mark.usefixtures("slurm_environment")]

REPOSITORY = Path(__file__).parents[2]
OPTIONS = ("--requeue", "--open-mode=append")
FIRST_LIFE = '[ "${SLURM_RESTART_COUNT:-0}" = 0 ]'


def stage(folder: Path, command: str) -> Path:
    """A batch script whose stage is a shell command."""
    run = shlex.join([sys.executable, "-m", "tests.slurm.batch_stage", str(folder), "bash", "-c", command])
    return batch_script(folder, f"cd {shlex.quote(str(REPOSITORY))}", f"exec {run}", name="stage")


def follower(folder: Path, behind: str) -> str:
    return Slurm().submit(
        batch_script(folder, "true", name="follower"),
        options=[f"--dependency=afterok:{behind}", "--kill-on-invalid-dep=yes"],
    )


def state(job_id: str) -> JobState:
    return Slurm().jobs([job_id])[0]


def events(folder: Path) -> list[JobEvent]:
    return list(read_history(folder))


def test_a_stage_that_is_asked_to_stop_goes_on_in_the_jobs_next_life(tmp_path: Path) -> None:
    work = f"{FIRST_LIFE} || exit 0; trap 'exit 75' TERM; : > {tmp_path}/begun; while :; do sleep 0.1; done"
    job_id = Slurm().submit(stage(tmp_path, work), options=OPTIONS)
    behind = follower(tmp_path, job_id)
    wait_until((tmp_path / "begun").exists)
    Slurm().cancel([job_id], signal="TERM")
    wait_until(lambda: state(behind).over)
    assert (state(job_id).state, state(job_id).restarts, state(behind).state) == ("COMPLETED", 1, "COMPLETED")
    told = [(event.what, event.restart, event.charged) for event in events(tmp_path)]
    assert told == [("started", 0, False), ("requeued", 0, False), ("started", 1, False), ("finished", 1, False)]


def test_a_killed_stage_is_tried_again_later_and_its_followers_wait(tmp_path: Path) -> None:
    work = f"{FIRST_LIFE} && kill -9 $$; exit 3"
    job_id = Slurm().submit(stage(tmp_path, work), options=OPTIONS)
    behind = follower(tmp_path, job_id)
    wait_until(lambda: state(behind).over)
    assert (state(job_id).state, state(job_id).exit_code, state(behind).state) == ("COMPLETED", 0, "COMPLETED")
    started, requeued, again, finished = events(tmp_path)
    assert (requeued.what, requeued.charged, requeued.why) == ("requeued", True, "ended by SIGKILL")
    assert again.time - started.time >= FIRST_DELAY_S - 1
    assert "quarantine" in finished.why


def test_a_stage_that_dies_again_and_again_fails_in_the_end(tmp_path: Path) -> None:
    job_id = Slurm().submit(stage(tmp_path, "kill -9 $$"), options=OPTIONS)
    wait_until(lambda: state(job_id).over)
    assert (state(job_id).state, state(job_id).exit_code) == ("FAILED", 137)
    assert [event.what for event in events(tmp_path)] == ["started", "requeued", "started", "failed"]
    assert events(tmp_path)[-1].why == "ended by SIGKILL, after 1 restarts"


def test_a_job_at_fault_fails_at_once_and_takes_the_chain_behind_it_along(tmp_path: Path) -> None:
    job_id = Slurm().submit(stage(tmp_path, "exit 2"), options=OPTIONS)
    behind = follower(tmp_path, job_id)
    last = follower(tmp_path, behind)
    wait_until(lambda: state(last).over)
    assert (state(job_id).state, state(job_id).exit_code) == ("FAILED", 2)
    assert {state(behind).state, state(last).state} == {"CANCELLED"}


def test_a_cancelled_job_stays_cancelled_however_well_its_stage_drains(tmp_path: Path) -> None:
    work = f"trap 'exit 75' TERM; : > {tmp_path}/begun; while :; do sleep 0.1; done"
    job_id = Slurm().submit(stage(tmp_path, work), options=OPTIONS)
    wait_until((tmp_path / "begun").exists)
    Slurm().cancel([job_id])
    wait_until(lambda: state(job_id).over)
    wait_until(lambda: len(events(tmp_path)) == 2)
    assert state(job_id).state == "CANCELLED"
    assert [event.what for event in events(tmp_path)] == ["started", "failed"]


def test_what_a_stage_leaves_behind_dies_with_it(tmp_path: Path) -> None:
    work = f"sleep 1000 & echo $! > {tmp_path}/pid; ps -o pid= -p $! > {tmp_path}/seen; exit 0"
    script = stage(tmp_path, work)
    text = script.read_text().replace("exec ", "").rstrip()
    # A dead child whose new parent has not collected it yet is in no one's way.
    lives = f"grep -qs 'State:.[^Z]' /proc/$(cat {tmp_path}/pid)/status"
    script.write_text(f"{text}\n{lives} && exit 9\nexit 0\n")
    job_id = Slurm().submit(script, options=OPTIONS)
    wait_until(lambda: state(job_id).over)
    assert (tmp_path / "seen").read_text().strip() == (tmp_path / "pid").read_text().strip()
    assert state(job_id).exit_code == 0


def test_a_stage_that_does_not_stop_is_killed_before_the_time_is_up_and_goes_on(tmp_path: Path) -> None:
    work = f"{FIRST_LIFE} || exit 0; trap '' TERM; while :; do sleep 0.1; done"
    job_id = Slurm().submit(stage(tmp_path, work), options=[*OPTIONS, "--time=1", "--signal=B:TERM@20"])
    wait_until(lambda: state(job_id).over, patience_s=240)
    assert (state(job_id).state, state(job_id).restarts) == ("COMPLETED", 1)
    (requeued,) = [event for event in events(tmp_path) if event.what == "requeued"]
    assert not requeued.charged
