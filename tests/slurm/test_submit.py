from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import tomli_w

from tests.search.searched_job import searched_job
from tests.slurm.commands import AWAY, TIMED_OUT, failing, hasty, wait_until
from xpshpc.cluster.minislurm import Cluster
from xpshpc.cluster.profile import Profile, read_profile
from xpshpc.cluster.site import Stage
from xpshpc.cluster.slurm.client import Slurm, SlurmRefused, SlurmUnreachable
from xpshpc.cluster.submission.chain import Wish, plan_chain
from xpshpc.cluster.submission.record import SubmittedJob, read_submission, submission_path, write_submission
from xpshpc.cluster.submission.submit import cancel_queued, queued_jobs, refuse_awaited, refuse_second, submit_chain
from xpshpc.errors import ExitCode, UsageError
from xpshpc.run_directory import RunDirectory, open_run
from xpshpc.search.ledger import journal_path
from xpshpc.search.result import read_search
from xpshpc.search.state import State

pytestmark = [pytest.mark.slurm, pytest.mark.usefixtures("slurm_environment")]

DEMO = Path(__file__).parents[2] / "jobs" / "demo.toml"
SMALL = {"generate.samples": 1280, "generate.shard_samples": 256, "generate.workers": 2, "train.global_batch": 64}


def xpshpc(*words: str, code: int = 0) -> dict[str, object]:
    """The JSON answer of a command."""
    done = subprocess.run(
        [sys.executable, "-m", "xpshpc", *words, "--json"], capture_output=True, stdin=subprocess.DEVNULL, timeout=240
    )
    assert done.returncode == code, done.stderr.decode() + done.stdout.decode()
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


def submit(runs: Path, *words: str, code: int = 0) -> dict[str, object]:
    settings = [f"--set={key}={value}" for key, value in SMALL.items()]
    return xpshpc("submit", str(DEMO), "--runs", str(runs), *settings, *words, code=code)


def held(run: Path, *stages: Stage, **tables: object) -> tuple[Wish, RunDirectory]:
    """A wish for jobs that SLURM queues and does not start."""
    tree = read_profile("minislurm").model_dump(exclude_none=True)
    tree["slurm"] |= {"options": ["--hold"], **tables}
    profile = Profile.model_validate(tree)
    return Wish(RunDirectory(run), profile, "minislurm", sys.executable, stages, workers=2, ranks=2), RunDirectory(run)


def ours() -> list[str]:
    return sorted(job.job_id for job in Slurm().jobs() if job.active)


def test_a_submitted_run_is_complete_in_the_end_and_each_job_waits_for_the_one_before(tmp_path: Path) -> None:
    answer = submit(tmp_path, "--stages=generate,report", "--yes")
    run = tmp_path / "demo"
    submission = read_submission(run)
    assert submission is not None
    generate, report = submission.jobs
    assert report.depends_on == (generate.job_id,)
    assert [job["job_id"] for job in answer["jobs"]] == [generate.job_id, report.job_id]  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match=f"{generate.job_id} \\(demo-generate"):
        refuse_second(run, Slurm())
    refused = submit(tmp_path, "--yes", code=ExitCode.USAGE)
    assert submission.user in str(refused["error"])
    wait_until(lambda: all(job.over for job in Slurm().jobs(submission.job_ids)), patience_s=400)
    logs = "".join(log.read_text() for log in (run / "logs" / "slurm").glob("*.out"))
    assert {job.state for job in Slurm().jobs(submission.job_ids)} == {"COMPLETED"}, logs
    assert (run / "report.html").is_file()
    assert xpshpc("verify", str(run))["ok"]
    refuse_second(run, Slurm())


def site_of_small_gangs(folder: Path) -> Path:
    """The profile of the one-machine cluster, with one rank a gang."""
    tree = read_profile("minislurm").model_dump(mode="json", exclude_none=True)
    tree |= {"ranks": 1, "workers": 2}
    tree["slurm"] |= {"train": {"nodes": 1, "memory_per_rank": "1800M"}}
    (path := folder / "site.toml").write_text(tomli_w.dumps(tree))
    return path


@pytest.mark.ranks
def test_a_search_is_submitted_as_run_would_do_it_and_its_trials_share_out_the_jobs_nodes(tmp_path: Path) -> None:
    rates = {"train.learning_rate": [1e-3, 3e-3]}
    tables = searched_job(tmp_path, rates, train={"epochs": 2}, parallel=2, evaluate=True).resolved()
    tables["spectra"]["instrument"]["channels"] = 256  # steps that a survey, here the simulated unknown, may have
    (path := tmp_path / "small.toml").write_text(tomli_w.dumps(tables))
    place = (f"--runs={tmp_path}", f"--on={site_of_small_gangs(tmp_path)}")
    answer = xpshpc("submit", str(path), *place, "--yes")
    asked = {demand["stage"]: demand["nodes"] for demand in answer["demands"]}  # type: ignore[attr-defined]
    assert asked["search"] == 2
    submission = read_submission(tmp_path / "small")
    assert submission is not None
    assert [each.stage for each in submission.jobs] == ["generate", "search", "report"]
    wait_until(lambda: all(each.over for each in Slurm().jobs(submission.job_ids)), patience_s=500)
    logs = "".join(log.read_text() for log in (tmp_path / "small" / "logs" / "slurm").glob("*.out"))
    assert {each.state for each in Slurm().jobs(submission.job_ids)} == {"COMPLETED"}, logs
    run, job_file = open_run(tmp_path / "small")
    found = read_search(run, job_file)
    assert (found.count(State.FINISHED), found.parallel) == (2, 2), logs
    assert all(outcome.held_out for outcome in found.outcomes.values())
    told = [json.loads(line)["event"] for line in journal_path(run).read_text().splitlines()]
    assert told.index("TrialFinished") > len(told) - 1 - told[::-1].index("TrialStarted")
    assert (run.path / "report.html").is_file() and not run.model.exists()


def test_the_scripts_serve_by_hand_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XPSHPC_PYTHON", sys.executable)
    settings = [f"--set={key}={value}" for key, value in SMALL.items()]
    xpshpc("generate", str(DEMO), "--runs", str(tmp_path), *settings)
    page = tmp_path / "demo" / "report.html"
    job_id = Slurm().submit(DEMO.parent / "report.sbatch", ["demo"], options=[f"--chdir={tmp_path}"])
    wait_until(lambda: Slurm().jobs([job_id])[0].over)
    logs = "".join(log.read_text() for log in tmp_path.glob("*.out"))
    assert Slurm().jobs([job_id])[0].state == "COMPLETED", logs
    assert page.is_file()


def test_jobs_that_wait_for_shards_keep_them_from_being_taken_back(tmp_path: Path) -> None:
    wish, run = held(tmp_path / "one", "train", "evaluate")
    training, _ = submit_chain(run, plan_chain(wish, None), "minislurm", Slurm()).job_ids
    with pytest.raises(UsageError, match=rf"job {training} \(train\)"):
        refuse_awaited(run.path, Slurm())
    whole, whole_run = held(tmp_path / "two", "generate", "train")
    submit_chain(whole_run, plan_chain(whole, None), "minislurm", Slurm())
    refuse_awaited(whole_run.path, Slurm())


def test_jobs_that_are_queued_already_count_against_the_limit(tmp_path: Path) -> None:
    limits = {"max_jobs": 6}
    profile = read_profile("minislurm").model_dump(mode="json", exclude_none=True)
    profile["slurm"]["limits"] |= limits
    (file := tmp_path / "few.toml").write_text(tomli_w.dumps(profile))
    asked = (f"--on={file}", "--dry-run")
    assert submit(tmp_path, *asked)["merged"] == ""
    wish, run = held(tmp_path / "other", "report")
    submit_chain(run, plan_chain(wish, None), "minislurm", Slurm())
    assert "5 jobs may be added" in str(submit(tmp_path, *asked)["merged"])


def test_what_a_later_stage_would_refuse_is_refused_before_anything_is_submitted(tmp_path: Path) -> None:
    for words in (("--set=train.global_batch=63",), ("--stages=generate,search",)):
        submit(tmp_path, "--yes", *words, code=ExitCode.USAGE)
    assert list(tmp_path.iterdir()) == []
    assert ours() == []


def test_nothing_is_done_without_a_yes(tmp_path: Path) -> None:
    planned = submit(tmp_path, "--dry-run")
    assert planned["dry_run"] is True
    assert set(planned["scripts"]) == {"generate", "train", "evaluate", "report"}  # type: ignore[call-overload]
    submit(tmp_path, code=ExitCode.USAGE)
    submit(tmp_path, "--yes", "--on=local", code=ExitCode.USAGE)
    assert list(tmp_path.iterdir()) == []
    assert ours() == []


def test_a_chain_of_which_one_job_is_refused_leaves_nothing_behind(tmp_path: Path) -> None:
    wish, run = held(tmp_path, "generate", "train", train={"partition": "nowhere"})
    with pytest.raises(SlurmRefused):
        submit_chain(run, plan_chain(wish, None), "minislurm", Slurm())
    wait_until(lambda: ours() == [])
    assert list(run.slurm.iterdir()) == []


@pytest.mark.faults
@pytest.mark.parametrize(("words", "after"), [(AWAY, False), (TIMED_OUT, True)])
def test_a_chain_is_submitted_once_whatever_sbatch_says(tmp_path: Path, words: str, after: bool) -> None:
    wish, run = held(tmp_path / "run", "generate", "train", "report")
    path = failing(tmp_path / "bin", "sbatch", 2, words, after=after)
    submission = submit_chain(run, plan_chain(wish, None), "minislurm", hasty(path))
    assert ours() == sorted(submission.job_ids)
    assert len(set(submission.job_ids)) == 3
    assert read_submission(run.path) == submission


@pytest.mark.faults
def test_jobs_that_were_never_recorded_are_found_and_stop_a_second_submission(tmp_path: Path) -> None:
    wish, run = held(tmp_path, "generate", "train")
    submission = submit_chain(run, plan_chain(wish, None), "minislurm", Slurm())
    unrecorded = tuple(replace(job, job_id=None) for job in submission.jobs)
    write_submission(run.path, replace(submission, jobs=unrecorded))
    with pytest.raises(UsageError) as caught:
        refuse_second(run.path, Slurm())
    assert all(job_id in caught.value.what for job_id in submission.job_ids)
    cancel_queued(run.path, Slurm())
    assert ours() == []
    refuse_second(run.path, Slurm())


@pytest.mark.faults
def test_a_chain_that_slurm_leaves_unanswered_stays_on_record(tmp_path: Path) -> None:
    wish, run = held(tmp_path / "run", "generate", "train")
    path = failing(tmp_path / "bin", "sbatch", 10**6, TIMED_OUT, after=True)
    squeue = tmp_path / "bin" / "squeue"
    squeue.write_text(f"#!/bin/sh\n[ -e {tmp_path}/asked ] && {{ echo '{AWAY}' >&2; exit 1; }}\n: > {tmp_path}/asked\n")
    squeue.chmod(0o755)
    with pytest.raises(SlurmUnreachable):
        submit_chain(run, plan_chain(wish, None), "minislurm", hasty(path, patience_s=1))
    found = queued_jobs(run.path, Slurm())
    assert found is not None
    assert [job.job_id for job in found[1]] == ours()
    assert len(ours()) == 1
    assert found[0].job_ids == ()


def test_stealing_cancels_the_jobs_in_the_queue_and_no_others(tmp_path: Path) -> None:
    wish, run = held(tmp_path / "one", "generate", "train")
    other_wish, other_run = held(tmp_path / "two", "report")
    submit_chain(run, plan_chain(wish, None), "minislurm", Slurm())
    other = submit_chain(other_run, plan_chain(other_wish, None), "minislurm", Slurm())
    cancel_queued(run.path, Slurm())
    assert ours() == sorted(other.job_ids)


def test_another_users_jobs_are_not_taken_over(tmp_path: Path) -> None:
    wish, run = held(tmp_path, "report")
    submission = submit_chain(run, plan_chain(wish, None), "minislurm", Slurm())
    write_submission(run.path, replace(submission, user="ada"))
    with pytest.raises(UsageError, match="ada"):
        cancel_queued(run.path, Slurm())
    assert ours() == sorted(submission.job_ids)


def test_a_submission_that_is_over_stops_nobody(slurm_environment: Cluster, tmp_path: Path) -> None:
    wish, run = held(tmp_path, "report")
    submission = submit_chain(run, plan_chain(wish, None), "minislurm", Slurm())
    Slurm().cancel(submission.job_ids)
    wait_until(lambda: ours() == [])
    refuse_second(run.path, Slurm())
    write_submission(run.path, replace(submission, jobs=(SubmittedJob("report", "9999999", "x"),)))
    refuse_second(run.path, Slurm())
    submission_path(run.path).unlink()
    refuse_second(run.path, Slurm())
