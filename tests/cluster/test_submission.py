from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.cluster.profile import Profile, read_profile
from xpshpc.cluster.slurm.client import JobState
from xpshpc.cluster.submission.chain import (
    PIPELINE,
    SEARCHING,
    STAGES,
    USUAL,
    Wish,
    plan_chain,
    read_stages,
    whole_run,
)
from xpshpc.cluster.submission.history import JobEvent, append_event, count_charged, history_path, read_history
from xpshpc.cluster.submission.record import (
    Submission,
    SubmittedJob,
    read_submission,
    submission_path,
    write_submission,
)
from xpshpc.cluster.submission.script import SITE_LINES, log_pattern, quote_option, read_template, render_script
from xpshpc.errors import EnvironmentFault, UsageError
from xpshpc.run_directory import RunDirectory

TEMPLATES = (*STAGES, PIPELINE)
SUBMISSION = Submission("ada", "login1", 1.5, "minislurm", "mini", "cafe", (SubmittedJob("generate", "7", "g.sbatch"),))
EVENT = JobEvent(1.0, "train", "8", 0, "requeued", "ended by SIGKILL", "node1", charged=True)

lines_of_text = st.text(st.characters(codec="utf-8", exclude_characters="\n\0\r"), max_size=40)


def wish(tmp_path: Path, **changes: object) -> Wish:
    profile = read_profile("minislurm")
    made = Wish(RunDirectory(tmp_path / "my run"), profile, "minislurm", "/opt/python", USUAL, workers=8, ranks=2)
    return replace(made, **changes)  # type: ignore[arg-type]


def with_site(profile: Profile, **tables: object) -> Profile:
    tree = profile.model_dump(exclude_none=True)
    for key, value in tables.items():
        tree["slurm"][key] = {**tree["slurm"].get(key, {}), **value} if isinstance(value, dict) else value
    return Profile.model_validate(tree)


def header(text: str) -> list[str]:
    return [line.removeprefix("#SBATCH ") for line in text.splitlines() if line.startswith("#SBATCH ")]


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_are_short_valid_and_without_logic(name: str) -> None:
    text = read_template(name)
    commands = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(text.splitlines()) <= 40
    assert [command.split()[0] for command in commands] == ["set", "exec"]
    assert SITE_LINES in text.splitlines()
    assert subprocess.run(["bash", "-n"], input=text.encode(), check=False).returncode == 0
    assert {"--requeue", "--open-mode=append"} <= set(header(text))
    assert any(option.startswith("--signal=B:TERM@") for option in header(text))


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_rendered_script_asks_for_each_thing_once_and_before_any_command(name: str) -> None:
    options = ["--time=5", "--partition=p", "--gres=gpu:2", "--no-kill"]
    text = render_script(read_template(name), options, ["module load a || exit 1"], ["/runs/a"])
    named = [option.partition("=")[0] for option in header(text)]
    assert len(named) == len(set(named))
    assert set(options) <= set(header(text))
    lines = text.splitlines()
    first_command = next(number for number, line in enumerate(lines) if line and not line.startswith("#"))
    assert all(number < first_command for number, line in enumerate(lines) if line.startswith("#SBATCH"))
    assert lines[lines.index(SITE_LINES) + 1] == "module load a || exit 1"
    assert text.rstrip().endswith("/runs/a")


@given(lines_of_text)
def test_no_name_of_a_run_reaches_the_shell_as_anything_but_one_word(name: str) -> None:
    text = render_script(read_template("train"), [], [], [name])
    assert shlex.split(text.removesuffix("\n").split("\n")[-1])[-1] == name


@pytest.mark.parametrize("place", ["options", "lines", "arguments"])
def test_nothing_breaks_out_of_its_line(place: str) -> None:
    texts = {name: ["--a=b\nrm -rf /"] if name == place else [] for name in ("options", "lines", "arguments")}
    with pytest.raises(UsageError, match="line break"):
        render_script(read_template("train"), **texts)


def test_an_option_with_blanks_and_quotes_is_quoted_for_slurm() -> None:
    assert quote_option("--time=1-00:00:00") == "--time=1-00:00:00"
    assert quote_option('--output=/my "run"/a\\b.out') == '--output="/my \\"run\\"/a\\\\b.out"'


def test_a_percent_sign_in_a_runs_name_is_no_pattern() -> None:
    assert log_pattern(Path("/runs/50%j"), "train") == "/runs/50%%j/train-%j.out"


def test_a_chain_has_a_job_for_each_stage_and_asks_for_what_the_profile_says(tmp_path: Path) -> None:
    profile = with_site(read_profile("minislurm"), account="physics", train={"gpus_per_node": 1, "partition": "fast"})
    chain = plan_chain(wish(tmp_path, profile=profile), None)
    assert [job.name for job in chain.jobs] == list(USUAL)
    assert chain.merged == ""
    by_name = {job.name: header(job.text) for job in chain.jobs}
    assert all("--account=physics" in options for options in by_name.values())
    assert "--partition=fast" in by_name["train"]
    assert "--gres=gpu:1" in by_name["train"]
    assert "--partition=main" in by_name["report"]
    assert all(f"'{tmp_path}/my run'" in job.text.splitlines()[-1] for job in chain.jobs)
    assert all("export XPSHPC_PYTHON=/opt/python" in job.text for job in chain.jobs)


def test_the_worst_cost_is_what_all_jobs_hold_for_all_their_time(tmp_path: Path) -> None:
    profile = with_site(
        read_profile("minislurm"),
        generate={"time": "02:00:00", "workers_per_job": 4, "coordinator_time": "10:00:00"},
        train={"time": "03:00:00", "gpus_per_node": 2},
        evaluate={"time": "01:00:00"},
        report={"time": "00:30:00"},
    )
    chain = plan_chain(wish(tmp_path, profile=profile, workers=9, ranks=4), None)
    coordinator, workers, training, evaluation, report = 10, 3 * 4 * 10, 4 * 3, 4 * 1, 0.5
    assert chain.cpu_hours == coordinator + workers + training + evaluation + report
    assert chain.gpu_hours == 2 * 2 * 3


def test_an_allocation_holds_all_nodes_and_outlives_one_of_them(tmp_path: Path) -> None:
    profile = with_site(read_profile("minislurm"), generate={"mode": "allocation", "workers_per_job": 2})
    (job,) = plan_chain(wish(tmp_path, profile=profile, stages=("generate",)), None).jobs
    assert {"--nodes=4", "--no-kill"} <= set(header(job.text))
    assert [demand.stage for demand in job.demands] == ["generate"]


def test_a_job_is_asked_to_stop_within_its_time(tmp_path: Path) -> None:
    profile = with_site(read_profile("minislurm"), report={"time": "00:01:00"}, limits={"stop_before_s": 300})
    (job,) = plan_chain(wish(tmp_path, profile=profile, stages=("report",)), None).jobs
    assert "--signal=B:TERM@30" in header(job.text)


def test_few_jobs_allowed_make_one_job_of_all_stages_that_has_what_each_of_them_needs(tmp_path: Path) -> None:
    profile = with_site(read_profile("minislurm"), train={"gpus_per_node": 1, "time": "05:00:00"})
    (job,) = (chain := plan_chain(wish(tmp_path, profile=profile), 11)).jobs
    assert "11 jobs" in chain.merged
    assert (job.name, job.stages) == (PIPELINE, USUAL)
    assert {"--nodes=2", "--gres=gpu:1", "--time=300"} <= set(header(job.text))
    assert "xpshpc batch run" in job.text
    assert len(plan_chain(wish(tmp_path, profile=profile), 12).jobs) == len(USUAL)


def test_a_search_takes_the_place_of_one_training_and_has_nodes_for_all_trials_that_run_at_a_time(
    tmp_path: Path,
) -> None:
    stages = whole_run(searches=True)
    assert stages == SEARCHING and whole_run(searches=False) == USUAL
    asked = wish(tmp_path, stages=stages, parallel=3)
    generate, search, report = plan_chain(asked, None).jobs
    assert (generate.name, search.name, report.name) == SEARCHING
    assert "--nodes=6" in header(search.text) and "--nodes=1" in header(report.text)
    (merged,) = plan_chain(asked, 3).jobs
    assert (merged.name, merged.stages) == (PIPELINE, SEARCHING)
    assert "--nodes=6" in header(merged.text)


def test_stages_that_no_one_job_runs_are_refused_where_few_jobs_are_allowed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="allows 3 jobs to be added"):
        plan_chain(wish(tmp_path, stages=("generate", "train")), 3)
    assert len(plan_chain(wish(tmp_path, stages=("train",)), 1).jobs) == 1


def test_stages_are_taken_in_the_order_in_which_they_run() -> None:
    assert read_stages("report, train,generate") == ("generate", "train", "report")
    for text in ("", "trian", "train,run"):
        with pytest.raises(UsageError):
            read_stages(text)


def test_a_submission_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_submission(tmp_path) is None
    submission = SUBMISSION.with_job(SubmittedJob("train", None, "t.sbatch", ("7",)))
    write_submission(tmp_path, submission)
    assert read_submission(tmp_path) == submission
    assert submission.job_ids == ("7",)
    done = submission.with_job(SubmittedJob("train", "8", "t.sbatch", ("7",)))
    assert [job.job_id for job in done.jobs] == ["7", "8"]


def test_a_job_whose_number_was_never_recorded_is_known_by_its_comment() -> None:
    known, marked = JobState("7", "x", "RUNNING"), JobState("9", "x", "PENDING", comment=SUBMISSION.mark("train"))
    task, foreign = JobState("7_1", "x", "RUNNING"), JobState("10", "x", "RUNNING", comment="xpshpc:other:train")
    assert SUBMISSION.own([known, marked, task, foreign]) == [known, marked, task]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"jobs": [{}]}', '{"jobs": 3}', '{"jobs": [], "user": "ada"}'])
def test_a_foreign_file_is_named_and_not_taken_for_a_submission(tmp_path: Path, text: str) -> None:
    submission_path(tmp_path).parent.mkdir()
    submission_path(tmp_path).write_text(text)
    with pytest.raises(EnvironmentFault) as caught:
        read_submission(tmp_path)
    assert caught.value.where == str(submission_path(tmp_path))


def test_lives_of_jobs_are_read_as_they_were_told_and_torn_lines_passed_over(tmp_path: Path) -> None:
    assert list(read_history(tmp_path)) == []
    other = replace(EVENT, job_id="9")
    free = replace(EVENT, charged=False)
    for event in (EVENT, other, free):
        append_event(tmp_path, event)
    with history_path(tmp_path).open("ab") as file:
        file.write(b'{"time": 3, "sta')
    assert list(read_history(tmp_path)) == [EVENT, other, free]
    assert count_charged(read_history(tmp_path), "8") == 1
