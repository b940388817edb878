"""A whole small study by its own command: every step, one line of JSON in the end, and nothing done twice."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w

from tests.studies.small_study import small_tables, write_wafers
from xpshpc.run_directory import RunDirectory, open_run
from xpshpc.store.verify import verify

pytestmark = [pytest.mark.demo, pytest.mark.ranks, pytest.mark.timeout(1800)]

RUN = "runs/small-study"
PLACE = ("--workers", "1", "--ranks", "1")


def xpshpc(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "xpshpc", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=1500, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    file = write_wafers(folder / "wafers.npz")
    (folder / "job.toml").write_text(tomli_w.dumps(small_tables(file, held_out=["test"])))
    return folder


@pytest.fixture(scope="module")
def lines(folder: Path) -> list[str]:
    told = xpshpc("run", "job.toml", *PLACE, folder=folder)
    assert told.returncode == 0, told.stderr
    return told.stdout.splitlines()


@pytest.fixture(scope="module")
def answer(lines: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def test_the_last_line_is_the_answer_and_tables_stand_before_it(lines, answer):
    assert {"generated_image_path", "is_score", "fid_score", "kid_score", "threshold", "n", "extractor"} <= set(answer)
    assert any(line.startswith("step ") for line in lines[:-1])
    assert answer["n"] == 12 and answer["n_held_out"] == 8 and answer["extractor"] == "efficientnet-lite0"


def test_the_threshold_is_that_of_the_smallest_distance(answer):
    best = min(answer["thresholds"], key=lambda point: point["fid"])
    assert [point["threshold"] for point in answer["thresholds"]] == [100, 160]
    assert answer["threshold"] == best["threshold"]
    assert answer["fid_score"] == pytest.approx(best["fid"], rel=1e-6), "the binarised maps are those that were judged"


def test_originals_are_nearer_to_real_maps_than_noise_is(answer):
    assert answer["scores"]["originals"]["kid"] < answer["scores"]["noise"]["kid"]


def test_every_choice_of_training_maps_is_judged_on_the_same_real_ones(answer):
    told = {each["trained_on"]: each for each in answer["classifiers"]}
    assert list(told) == ["real", "augmented", "generated", "mixed"]
    assert {each["tested_on"] for each in told.values()} == {24}
    assert {each["maps_of_others"] for each in told.values()} == {16}


def test_every_step_has_its_cost_and_every_run_is_sound(folder, answer):
    assert len(answer["steps"]) == 15
    for step in answer["steps"]:
        assert step["wall_s"] > 0 and step["peak_bytes"] > 10**7, step
    for path in sorted(Path(folder, RUN, "steps").iterdir()):
        run, job_file = open_run(path)
        assert verify(run, job_file).ok


def test_the_page_needs_nothing_from_elsewhere(folder, answer):
    page = Path(folder, answer["report"]).read_text()
    assert "Generated" in page and "data:image/png" in page and "<svg" in page
    for outside in ('src="http', 'href="http', "url(http", "@import"):
        assert outside not in page
    assert Path(folder, answer["generated_image_path"]).read_bytes().startswith(b"\x89PNG")
    with np.load(Path(folder, answer["generated_images"])) as archive:
        assert len(archive["images"]) == 12


def test_a_second_call_does_no_work_and_json_is_all_it_prints(folder, answer):
    before = {path: path.stat().st_mtime_ns for path in Path(folder, RUN, "answers").iterdir()}
    told = xpshpc("run", RUN, *PLACE, "--json", folder=folder)
    again = json.loads(told.stdout)
    for name in ("fid_score", "is_score", "kid_score", "threshold", "classifiers", "scores", "steps"):
        assert again[name] == answer[name], name
    assert before == {path: path.stat().st_mtime_ns for path in Path(folder, RUN, "answers").iterdir()}


def test_status_and_dry_run_tell_how_far_it_is(folder, answer):
    status = json.loads(xpshpc("status", RUN, "--json", folder=folder).stdout)
    assert status["step"] is None and status["to_do"] == [] and len(status["done"]) == 15
    plan = json.loads(xpshpc("run", RUN, "--dry-run", "--json", folder=folder).stdout)
    assert all(step["done"] for step in plan["steps"])


def test_what_was_lost_is_made_again_and_nothing_else(folder, answer):
    """Last here: it takes a run away."""
    generated = RunDirectory(Path(folder, RUN, "steps/binarised"))
    shutil.rmtree(generated.path)
    told = xpshpc("run", RUN, *PLACE, "--json", folder=folder)
    assert told.returncode == 0, told.stderr
    again = json.loads(told.stdout)
    assert again["fid_score"] == answer["fid_score"]
    took = {step["step"]: step["wall_s"] for step in answer["steps"]}
    longer = [step["step"] for step in again["steps"] if step["wall_s"] > took[step["step"]]]
    assert longer == ["binarised"]
