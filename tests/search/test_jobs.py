"""The job files that come with the program can be taken, say what they are, and tell what they would do."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from xpshpc.cli.app import run_app
from xpshpc.config import read_job

JOBS = Path(__file__).parents[2] / "jobs"
ALL = sorted(path.name for path in JOBS.glob("*.toml"))
SEARCHES = {"kist.toml": 4, "sessa-10k.toml": 4, "sessa-scale.toml": 3, "overnight-grid.toml": 72}
"""Jobs with a search, and how many trials it has."""

PUBLISHED = {"vanilla_cnn": 0.9928, "dnn": 0.64, "inception": 0.94, "resnet27": 0.93}
"""Validation accuracies of 10.3938/PhiT.32.020."""


def test_all_jobs_of_the_tables_are_there() -> None:
    assert {"demo.toml", "million.toml", "compounds.toml", *SEARCHES} <= set(ALL)


WAFER_MAPS = Path(os.environ.get("XPSHPC_WAFER_MAPS", JOBS.parents[1] / "shared/data/wafers/wm811k_labelled.npz"))
ON_MEASURED_MAPS = ("wafer-classes.toml", "wafer-gan.toml")
"""Jobs that nobody can run without a file of their own."""


@pytest.mark.parametrize("name", [name for name in ALL if name not in ON_MEASURED_MAPS])
def test_a_dry_run_tells_the_plan_and_makes_nothing(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_app(["run", str(JOBS / name), "--runs", str(tmp_path), "--dry-run", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["dry_run"] and told["planned"] == read_job(JOBS / name).job.generate.samples
    assert ("search" in told) == (name in SEARCHES)
    if name in SEARCHES:
        search = told["search"]
        assert search["trials"] == search["pending"] == len(search["plan"]) == SEARCHES[name]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ALL)
def test_a_job_begins_with_what_it_is_and_the_command(name: str) -> None:
    lines = (JOBS / name).read_text().splitlines()
    header = lines[: next(number for number, line in enumerate(lines) if not line.startswith("#"))]
    assert len(header) >= 2
    assert any(f"jobs/{name}" in line and "xpshpc" in line for line in header)


def test_the_published_table_stands_beside_each_network() -> None:
    asked = read_job(JOBS / "kist.toml").job.search
    assert asked is not None
    told = {point.parameters["train.network"]: point.published["accuracy"] for point in asked.points}
    assert told == PUBLISHED
    assert {point.source for point in asked.points} == {"10.3938/PhiT.32.020"}
    assert asked.metric == "accuracy" and asked.evaluate


def test_the_scale_trains_on_exactly_as_many_samples_as_it_says() -> None:
    job = read_job(JOBS / "sessa-scale.toml").job
    assert job.search is not None
    assert all(point.parameters["train.samples"] % job.generate.shard_samples == 0 for point in job.search.points)
