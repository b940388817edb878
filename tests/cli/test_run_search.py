"""`xpshpc run` of a job with a search: data, trials, their scores, a report; and nothing twice."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from rich.console import Console

from tests.train.stored_run import small_job
from xpshpc.cli.app import run_app
from xpshpc.cli.search import show_search
from xpshpc.cli.show import show_searched_run
from xpshpc.cli.status_page import describe_status
from xpshpc.report.status import read_status
from xpshpc.run_directory import RunDirectory

POINTS = [
    {"name": "[fast]", "parameters": {"train.learning_rate": 3e-3}, "published": {"accuracy": 0.9}, "source": "10.0/x"},
    {"name": "slow", "parameters": {"train.learning_rate": 1e-4}},
]


def write_job(folder: Path, **search: Any) -> Path:
    tables = small_job(folder, samples=320, epochs=2).resolved()
    tables["search"] = {"points": POINTS, "metric": "accuracy", "evaluate": True, **search}
    # A survey that is analysed has steps of at most 5 eV.
    tables["spectra"]["instrument"]["channels"] = 512
    path = folder / "job.toml"
    path.write_text(tomli_w.dumps(tables))
    return path


def call(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = run_app([*arguments, "--json"])
    return code, json.loads(capfd.readouterr().out)


@pytest.mark.ranks
def test_a_run_makes_searches_scores_and_reports_and_does_nothing_twice(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = ("run", str(write_job(tmp_path)), "--runs", str(tmp_path), "--ranks", "1", "--workers", "1")
    code, told = call(capfd, *asked)
    run = RunDirectory(tmp_path / "small")
    search = told["search"]
    assert (code, told["committed"], search["finished"], search["ended"]) == (0, 320, 2, "complete")
    assert "train" not in told and "evaluate" not in told and not run.train.exists()
    assert [set(point["held_out"]) >= {"accuracy"} for point in search["leaderboard"]] == [True, True]
    assert Path(search["best"]["model"]).is_file() and told["analyze"]["spectra"]
    page = Path(told["report"]).read_text()
    assert "[fast]" in page and "10.0/x" in page and "Of the best trial" in page and "Learning curves" in page

    shown = io.StringIO()
    show_searched_run(Console(file=shown), told)
    assert "[fast]" in shown.getvalue() and "90.00 %" in shown.getvalue() and "published 10.0/x" in shown.getvalue()
    status = read_status(run)
    assert status.search is not None and status.complete and status.search["finished"] == 2
    lines = list(describe_status(status))
    assert any(line.startswith("search    2 of 2 trials finished") for line in lines)
    assert any(line.startswith("best      accuracy") for line in lines)

    before = {path: path.stat().st_mtime_ns for path in run.search.rglob("model.keras")}
    code, again = call(capfd, *asked)
    assert (code, again["made"], again["search"]["leaderboard"]) == (0, 0, search["leaderboard"])
    assert {path: path.stat().st_mtime_ns for path in run.search.rglob("model.keras")} == before
    assert call(capfd, "report", str(run.path)) == (0, {"run": str(run.path), "report": str(run.report)})


def test_what_cannot_be_searched_stops_a_run_before_any_data_is_made(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, told = call(capfd, "run", str(write_job(tmp_path, metric="acuracy")), "--runs", str(tmp_path))
    assert code == 2 and "did you mean 'accuracy'" in told["error"]
    assert not (tmp_path / "small").exists()


def test_people_see_every_trial_of_a_run_that_is_only_planned(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_app(["run", str(write_job(tmp_path)), "--runs", str(tmp_path), "--dry-run"]) == 0
    shown = capfd.readouterr().out
    assert "[fast]" in shown and "slow" in shown and "0 of 2 finished, 2 to do" in shown
    assert shown.count("nothing was done") == 1 and "320 samples in 10 shards" in shown
    assert not (tmp_path / "small").exists()


def test_a_table_has_the_published_value_beside_ours() -> None:
    point = {
        "name": "x", "parameters": {"train.network": "dnn"}, "mean": 0.7, "spread": None, "interval": None,
        "repeats": 1, "failed": 0, "validation": {"accuracy": 0.7}, "held_out": {}, "published": {"accuracy": 0.64},
        "source": "10.0/y", "seconds": 1.0, "core_hours": 0.1, "gpu_hours": 0.0, "trials": [{"id": "a", "value": 0.7}],
    }  # fmt: skip
    counts = dict.fromkeys(("pending", "running", "paused", "stopped", "failed"), 0)
    answer = {
        **counts, "metric": "accuracy", "leaderboard": [point], "failures": [], "unscored": [], "trials": 1,
        "finished": 1, "seconds_to_come": 0.0, "ended": "complete", "best": None,
    }  # fmt: skip
    shown = io.StringIO()
    show_search(Console(file=shown), answer)
    head, row = shown.getvalue().splitlines()[:2]
    assert "Accuracy, published" in head and row.split()[:6] == ["1", "x", "dnn", "70.00", "%", "64.00"]
