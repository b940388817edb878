"""Commands at a study: its plan is told with nothing made, and what takes a single run says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tomli_w

from tests.cli.test_errors import xpshpc
from tests.studies.small_study import small_tables, write_wafers

pytestmark = pytest.mark.programs


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    job = folder / "job.toml"
    job.write_text(tomli_w.dumps(small_tables(write_wafers(folder / "wafers.npz"))))
    return job


def test_the_plan_is_told_and_nothing_is_made(job):
    told = xpshpc("run", job, "--dry-run", "--json", folder=job.parent)
    plan = json.loads(told.stdout)
    assert [step["step"] for step in plan["steps"]][:2] == ["originals", "held-out-validation"]
    assert plan["dry_run"] and not any(step["done"] for step in plan["steps"])
    assert sorted(path.name for path in job.parent.iterdir()) == ["job.toml", "wafers.npz"]


@pytest.mark.parametrize("command", ["generate", "train", "evaluate", "report"])
def test_a_command_for_a_single_run_refuses_a_study(job, command):
    told = xpshpc(command, job, folder=job.parent)
    assert told.returncode == 2 and "study of many" in told.stderr and f"xpshpc run {job}" in told.stderr
    assert not (job.parent / "runs").exists()


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("wafers.study.originals=1", "no spread"),
        ("wafers.study.defect=Scratch", "split train has 0"),
        ("wafers.study.thresholds=[0]", "gray levels from 1 to 254"),
        ("wafers.originals.file=absent.npz", "absent.npz"),
        ("wafers.study.extractor=inception-v4", "did you mean 'inception-v3'"),
        ("train.task.encoding=three", "how surely a die fails"),
    ],
)
def test_bad_input_is_found_before_any_work(job, setting, says):
    told = xpshpc("run", job, "--set", setting, folder=job.parent)
    assert told.returncode in (2, 5) and says in told.stderr, told.stderr
    assert not (job.parent / "runs").exists()
