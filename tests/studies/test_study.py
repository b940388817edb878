"""A whole small study by its own command: stopped and gone on with, one line of JSON, and nothing done twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w

from tests.coordinator import heed_interrupts
from tests.studies.small_study import small_tables, write_wafers
from xpshpc.errors import ExitCode
from xpshpc.events import read_events
from xpshpc.run_directory import LOCK, open_run
from xpshpc.store.verify import verify
from xpshpc.studies.journal import JOURNAL, step_under_way

pytestmark = [pytest.mark.demo, pytest.mark.ranks, pytest.mark.timeout(1800)]

RUN = "runs/small-study"
PLACE = ("--workers", "1", "--ranks", "1")
STEPS = [
    "originals",
    "held-out-validation",
    "held-out-test",
    "augmented",
    "network",
    "generated",
    "images",
    "thresholds",
    "binarised",
    "scores",
    "test-maps",
    "diets",
    "classifier-real",
    "classifier-generated",
]
STOPPED_IN = "network"
PATIENCE_S = 900


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "xpshpc", *arguments]


def xpshpc(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def files_of(study: Path) -> dict[Path, int]:
    """When each file that a step or its answer left was last written, but for the marks of who works there."""
    return {
        path: path.stat().st_mtime_ns
        for name in ("steps", "answers", "sets", "diets", "cache")
        for path in (study / name).rglob("*")
        if path.is_file() and path.name != LOCK and "lease" not in path.parts
    }


def reused(events: Sequence[Any]) -> dict[str, bool]:
    """Which steps ended in these events of the journal, and whether there was nothing left to do."""
    return {event["step"]: event["reused"] for event in events if event["event"] == "StepFinished"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    file = write_wafers(folder / "wafers.npz")
    tables = small_tables(file, classifier={"diets": ["real", "generated"]})
    (folder / "job.toml").write_text(tomli_w.dumps(tables))
    return folder


@pytest.fixture(scope="module")
def stopped(folder: Path) -> list[dict[str, Any]]:
    """The journal of a study that was stopped by Ctrl-C while its network was trained."""
    study = folder / RUN
    with (folder / "stopped.log").open("wb") as log:
        program = subprocess.Popen(
            command("run", "job.toml", *PLACE), cwd=folder, stdout=log, stderr=log, preexec_fn=heed_interrupts
        )
        deadline = time.monotonic() + PATIENCE_S
        while step_under_way(study) != STOPPED_IN and program.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        program.send_signal(signal.SIGINT)
        code = program.wait(PATIENCE_S)
    assert code == ExitCode.DRAINED, (folder / "stopped.log").read_text()
    return list(read_events(study / JOURNAL))


@pytest.fixture(scope="module")
def lines(folder: Path, stopped: list[dict[str, Any]]) -> list[str]:
    told = xpshpc("run", "job.toml", *PLACE, folder=folder)
    assert told.returncode == 0, told.stderr
    return told.stdout.splitlines()


@pytest.fixture(scope="module")
def answer(lines: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def test_a_stopped_study_goes_on_with_the_step_in_which_it_was(folder, stopped, answer):
    before = STEPS[: STEPS.index(STOPPED_IN)]
    assert reused(stopped) == dict.fromkeys(before, False)
    assert stopped[-1]["event"] == "StepStopped" and stopped[-1]["step"] == STOPPED_IN
    after = list(read_events(folder / RUN / JOURNAL))[len(stopped) :]
    assert reused(after) == {step: step in before for step in STEPS}


def test_the_last_line_is_the_answer_and_tables_stand_before_it(lines, answer):
    assert {"generated_image_path", "is_score", "fid_score", "kid_score", "threshold", "n", "extractor"} <= set(answer)
    assert any(line.startswith("step ") for line in lines[:-1])
    assert answer["n"] == 12 and answer["n_held_out"] == 8 and answer["extractor"] == "efficientnet-lite0"


def test_the_threshold_is_chosen_by_real_maps_that_do_not_judge(answer):
    best = min(answer["thresholds"], key=lambda point: point["fid"])
    assert [point["threshold"] for point in answer["thresholds"]] == [100, 160]
    assert answer["threshold"] == best["threshold"]
    chosen_by = answer["threshold_chosen_by"]
    assert (chosen_by["splits"], chosen_by["n"], chosen_by["also_judge"]) == (["validation"], 4, False)
    assert answer["scores"]["held_out"]["splits"] == ["test"]


def test_the_maps_that_are_scored_are_those_of_the_chosen_threshold(folder, answer):
    """One look at all images serves thresholds and scores alike: the binarised run's maps are among them."""
    features = folder / RUN / "cache" / "features"
    assert len(list(features.iterdir())) == len({"held-out", "choosing", "noise", "originals", "augmented", "made"})


def test_originals_are_nearer_to_real_maps_than_noise_is(answer):
    assert answer["scores"]["originals"]["kid"] < answer["scores"]["noise"]["kid"]


def test_every_choice_of_training_maps_is_judged_on_the_same_real_ones(answer):
    told = {each["trained_on"]: each for each in answer["classifiers"]}
    assert list(told) == ["real", "generated"]
    assert {each["tested_on"] for each in told.values()} == {24}
    assert {each["maps_of_others"] for each in told.values()} == {16}


def test_every_step_has_its_cost_and_every_run_is_sound(folder, answer):
    assert [step["step"] for step in answer["steps"]] == STEPS
    for step in answer["steps"]:
        assert step["wall_s"] > 0 and step["peak_bytes"] > 10**7, step
    for path in sorted((folder / RUN / "steps").iterdir()):
        run, job_file = open_run(path)
        assert verify(run, job_file).ok, path


def test_the_page_needs_nothing_from_elsewhere(folder, answer):
    page = Path(folder, answer["report"]).read_text()
    assert "Generated" in page and "data:image/png" in page and "<svg" in page
    assert "none of\nwhich judges" in page
    for outside in ('src="http', 'href="http', "url(http", "@import"):
        assert outside not in page
    assert Path(folder, answer["generated_image_path"]).read_bytes().startswith(b"\x89PNG")
    with np.load(Path(folder, answer["generated_images"])) as archive:
        assert len(archive["images"]) == 12


def test_a_second_call_does_no_work_and_json_is_all_it_prints(folder, answer):
    study = folder / RUN
    before, journal = files_of(study), len(list(read_events(study / JOURNAL)))
    told = xpshpc("run", RUN, *PLACE, "--json", folder=folder)
    again = json.loads(told.stdout)
    for name in ("fid_score", "is_score", "kid_score", "threshold", "classifiers", "scores", "steps"):
        assert again[name] == answer[name], name
    assert files_of(study) == before
    assert reused(list(read_events(study / JOURNAL))[journal:]) == dict.fromkeys(STEPS, True)


def test_status_watch_and_dry_run_tell_how_far_it_is(folder, answer):
    status = json.loads(xpshpc("status", RUN, "--json", folder=folder).stdout)
    assert status["step"] is None and status["to_do"] == [] and status["done"] == STEPS
    watched = xpshpc("status", RUN, "--watch", folder=folder).stdout
    assert f"{len(STEPS)} of {len(STEPS)} steps done" in watched, "a study that is done is not watched for ever"
    plan = json.loads(xpshpc("run", RUN, "--dry-run", "--json", folder=folder).stdout)
    assert all(step["done"] for step in plan["steps"])
