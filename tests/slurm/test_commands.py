from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from tests.slurm.commands import AWAY, TIMED_OUT, batch_script, calls, failing, hasty, wait_until
from xpshpc.cluster.minislurm import Cluster
from xpshpc.cluster.slurm.client import Slurm, SlurmRefused, SlurmUnreachable
from xpshpc.cluster.slurm.deadline import Deadline
from xpshpc.errors import EnvironmentFault

pytestmark = [pytest.mark.slurm, pytest.mark.usefixtures("slurm_environment")]


def test_a_job_is_followed_from_its_submission_to_its_exit_code(tmp_path: Path) -> None:
    slurm = Slurm()
    began = time.time()
    job_id = slurm.submit(batch_script(tmp_path, "exit $1"), ["3"], options=["--job-name=three"])
    wait_until(lambda: slurm.jobs([job_id])[0].over)
    (job,) = slurm.jobs([job_id])
    assert (job.name, job.state, job.exit_code, job.restarts) == ("three", "FAILED", 3, 0)
    assert job.submitted is not None and job.started is not None and job.ended is not None
    assert began - 2 <= job.submitted <= job.started <= job.ended <= time.time() + 2
    assert slurm.expand(job.nodes)[0].startswith("node")


def test_tasks_of_an_array_are_told_one_by_one_and_jobs_found_by_name(tmp_path: Path) -> None:
    slurm = Slurm()
    script = batch_script(tmp_path, "true")
    array = slurm.submit(script, options=["--hold", "--job-name=many"], array=range(3))
    alone = slurm.submit(script, options=["--hold", "--job-name=one"])
    assert {job.job_id for job in slurm.jobs([array])} == {f"{array}_{task}" for task in range(3)}
    assert [job.job_id for job in slurm.jobs(name="one")] == [alone]
    assert [job.job_id for job in slurm.jobs([f"{array}_1"])] == [f"{array}_1"]
    assert all(job.waiting for job in slurm.jobs([array, alone]))


def test_unknown_jobs_are_left_out_and_cancelling_them_is_no_error(tmp_path: Path) -> None:
    slurm = Slurm()
    known = slurm.submit(batch_script(tmp_path, "true"), options=["--hold"])
    assert slurm.jobs(["9999999"]) == []
    assert [job.job_id for job in slurm.jobs(["9999999", known])] == [known]
    slurm.cancel(["9999999", known])
    wait_until(lambda: slurm.jobs([known])[0].state == "CANCELLED")
    slurm.cancel([known])


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--partition=nowhere", "invalid partition"),
        ("--gres=gpu:77", "not available"),
        ("--constraint=warm", "feature"),
    ],
)
def test_a_refusal_is_told_in_slurms_own_words_and_at_once(tmp_path: Path, option: str, words: str) -> None:
    slurm, script = hasty(), batch_script(tmp_path, "true")
    for ask in (lambda: slurm.submit(script, options=[option]), lambda: slurm.test(script, (), [option])):
        with pytest.raises(SlurmRefused) as caught:
            ask()
        assert words in caught.value.what


def test_what_slurm_would_take_is_not_submitted_by_testing_it(tmp_path: Path) -> None:
    slurm = Slurm()
    slurm.test(batch_script(tmp_path, "true"), (), ["--job-name=never"])
    assert slurm.jobs(name="never") == []


def test_partitions_and_limits_are_those_of_the_site(slurm_environment: Cluster) -> None:
    found = {partition.name: partition for partition in Slurm().partitions()}
    assert set(found) == {"main", "short"}
    plan = slurm_environment.plan
    main = found["main"]
    assert (main.default, main.nodes, main.cpus_per_node, main.memory_mb) == (
        True,
        plan.nodes,
        plan.cpus,
        plan.memory_mb,
    )
    assert found["short"].max_time_s == 120
    limits = Slurm().limits()
    assert (limits.max_array, limits.cluster_name) == (2001, "mini")


@pytest.mark.parametrize("words", [TIMED_OUT, AWAY])
def test_a_busy_controller_is_asked_again(tmp_path: Path, words: str) -> None:
    path = failing(tmp_path / "bin", "sbatch", 3, words)
    job_id = hasty(path).submit(batch_script(tmp_path, "true"))
    assert calls(tmp_path / "bin", "sbatch") == 4
    assert len(Slurm().jobs()) >= 1
    assert Slurm().jobs([job_id])[0].job_id == job_id


@pytest.mark.parametrize("lost", [1, 3])
def test_a_submission_whose_answer_is_lost_makes_one_job(tmp_path: Path, lost: int) -> None:
    path = failing(tmp_path / "bin", "sbatch", lost, TIMED_OUT, after=True)
    name = f"lost-{lost}"
    job_id = hasty(path).submit(batch_script(tmp_path, "sleep 300"), options=[f"--job-name={name}"])
    assert [job.job_id for job in Slurm().jobs(name=name)] == [job_id]


def test_a_lost_array_is_one_array(tmp_path: Path) -> None:
    path = failing(tmp_path / "bin", "sbatch", 1, TIMED_OUT, after=True)
    job_id = hasty(path).submit(batch_script(tmp_path, "true"), options=["--job-name=arr", "--hold"], array=range(5))
    assert {job.job_id for job in Slurm().jobs(name="arr")} == {f"{job_id}_{task}" for task in range(5)}


def test_a_double_that_comes_to_light_late_is_cancelled(tmp_path: Path) -> None:
    """The first answer is lost, and so is the job from the queue's first answer: a controller that is slow to tell."""
    path = failing(tmp_path / "bin", "sbatch", 1, TIMED_OUT, after=True)
    squeue = tmp_path / "bin" / "squeue"
    squeue.write_text(
        f'#!/bin/sh\n[ -e {tmp_path}/asked ] && exec {shutil.which("squeue")} "$@"\n: > {tmp_path}/asked\n'
    )
    squeue.chmod(0o755)
    job_id = hasty(path).submit(batch_script(tmp_path, "sleep 300"), options=["--job-name=double"])
    jobs = Slurm().jobs(name="double")
    assert len(jobs) == 2
    wait_until(lambda: [job.job_id for job in Slurm().jobs(name="double") if job.active] == [job_id])
    assert job_id == min((job.job_id for job in jobs), key=int)


def test_a_token_names_one_job_for_ever(tmp_path: Path) -> None:
    slurm, script = Slurm(), batch_script(tmp_path, "true")
    first = slurm.submit(script, token="run:train")
    assert slurm.submit(script, token="run:train") == first
    assert slurm.submit(script, token="run:evaluate") != first


def test_a_token_that_was_refused_may_be_used_again(tmp_path: Path) -> None:
    slurm, script = Slurm(), batch_script(tmp_path, "true")
    with pytest.raises(SlurmRefused):
        slurm.submit(script, token="again", options=["--gres=gpu:77"])
    assert slurm.jobs([slurm.submit(script, token="again")])[0].comment == "again"


def test_a_failing_squeue_is_asked_again_until_the_patience_ends(tmp_path: Path) -> None:
    job_id = Slurm().submit(batch_script(tmp_path, "true"), options=["--hold"])
    path = failing(tmp_path / "bin", "squeue", 4, AWAY)
    assert [job.job_id for job in hasty(path).jobs([job_id])] == [job_id]
    dead = failing(tmp_path / "dead", "squeue", 10**6, AWAY)
    with pytest.raises(SlurmUnreachable) as caught:
        hasty(dead, patience_s=0.5).jobs([job_id])
    assert AWAY in caught.value.what


def test_a_controller_that_comes_back_is_waited_for(slurm_environment: Cluster, tmp_path: Path) -> None:
    slurm_environment.stop_controller()
    with pytest.raises(SlurmUnreachable):
        Slurm(patience_s=0).jobs()
    pauses = []

    def restart(pause_s: float) -> None:
        pauses.append(pause_s)
        slurm_environment.start_controller()

    job_id = Slurm(sleep=restart).submit(batch_script(tmp_path, "true"))
    assert pauses
    assert len([job for job in Slurm().jobs() if job.job_id == job_id]) == 1


def test_a_machine_without_slurm_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="SLURM's commands are not here"):
        Slurm(environment={"PATH": str(tmp_path)}).jobs()


def test_a_job_within_a_job_is_not_shaped_by_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SBATCH_PARTITION", "nowhere")
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    seen = tmp_path / "seen"
    job_id = Slurm().submit(batch_script(tmp_path, f"echo $SLURM_JOB_ID > {seen}"))
    wait_until(lambda: Slurm().jobs([job_id])[0].over)
    assert seen.read_text().strip() == job_id


def test_a_requeued_job_begins_again_and_counts_it(tmp_path: Path) -> None:
    slurm = Slurm()
    job_id = slurm.submit(batch_script(tmp_path, "sleep 300"), options=["--requeue"])
    wait_until(lambda: slurm.jobs([job_id])[0].state == "RUNNING")
    slurm.requeue(job_id)
    wait_until(lambda: slurm.jobs([job_id])[0].state == "RUNNING" and slurm.jobs([job_id])[0].restarts == 1)


def test_a_running_job_has_the_deadline_that_slurm_sets(tmp_path: Path) -> None:
    slurm = Slurm()
    job_id = slurm.submit(batch_script(tmp_path, "sleep 300"), options=["--time=7"])
    wait_until(lambda: slurm.jobs([job_id])[0].state == "RUNNING")
    (job,) = slurm.jobs([job_id])
    deadline = Deadline.of_this_job(slurm, {"SLURM_JOB_ID": job_id})
    assert job.started is not None
    assert deadline.end == job.started + 420
    assert deadline.left_s(job.started) == 420
