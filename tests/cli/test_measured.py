"""Measured spectra on the command line: compositions with intervals, tables of them, and scores against known ones."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from tests.cli.test_errors import xpshpc
from tests.spectra.line_network import survey
from tests.train.stored_run import small_job, store_run
from xpshpc.cli.measured import analyze_job
from xpshpc.cli.show_measured import show_analysis, show_known_surveys, write_shares
from xpshpc.report.measured_scores import draw_measured
from xpshpc.run_directory import RunDirectory, open_run
from xpshpc.spectra.learning.calibration import FLOOR, LEVELS, RANGES
from xpshpc.train.export import save_model

SPECTRUM = {
    "file": "a.csv",
    "name": "a [b]",
    "composition_at_percent": {"Cu": 97.4, "C": 1.0, "O": 0.3},
    "uncertainty_at_percent": {"Cu": 3.1, "C": 0.4},
    "interval_at_percent": {"Cu": [94.3, 100.0], "C": [0.6, 1.4]},
    "rest_at_percent": 1.3,
    "overlayer_A": 7.25,
    "remarks": ["as [is]"],
    "plot": None,
}


def shown(show, answer) -> str:
    text = io.StringIO()
    show(Console(file=text, width=160, highlight=False), answer)
    return text.getvalue()


def test_intervals_are_told_and_never_leave_what_a_fraction_can_be() -> None:
    assert write_shares(SPECTRUM) == ["Cu 97.4 (94.3–100.0)", "C 1.0 ± 0.4", "O 0.3"]
    low = {**SPECTRUM, "uncertainty_at_percent": {"C": 2.5}, "interval_at_percent": {"C": [0.0, 3.5]}}
    assert write_shares(low)[1] == "C 1.0 (0.0–3.5)"
    assert write_shares(low, least=1.0) == ["Cu 97.4", "C 1.0 (0.0–3.5)"]
    assert write_shares({"composition_at_percent": {"Cu": 60.0}}) == ["Cu 60.0"]


def test_people_read_what_the_intervals_are_worth() -> None:
    answer = {"spectra": [SPECTRUM], "coverage": {"stated": 0.9, "measured": 0.897}}
    assert "90.00 % of true fractions; held for 89.7 % of simulated held-out ones" in shown(show_analysis, answer)
    answer["coverage"] = {"stated": 0.9, "measured": None}
    assert "xpshpc evaluate measures" in shown(show_analysis, answer)
    told = shown(show_analysis, {"spectra": [SPECTRUM], "coverage": None})
    assert "hold" not in told and "a [b]" in told and "as [is]" in told


def test_people_read_a_line_for_each_known_spectrum() -> None:
    of_spectrum = {"known_at_percent": {"Cu": 100.0}, "accuracy": 0.974, "missed": ["Zn"], "wrongly_named": ["C"]}
    answer = {
        "spectra": [{**SPECTRUM, **of_spectrum, "outside": ["Cu"]}],
        "samples": 1,
        "accuracy": 0.974,
        "rmse": 0.003,
        "element_set": {"correct": 0.0},
        "coverage": {"stated": 0.9, "measured": 0.5, "n": 2},
    }
    told = shown(show_known_surveys, answer)
    for words in ("a [b]", "Cu 100.0", "97.40 %", "Zn", "50.0 % of 2 intervals hold what is known"):
        assert words in told


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run with data, and a network as it is before training, whose card claims something."""
    folder = tmp_path_factory.mktemp("runs")
    job_file = small_job(folder, samples=400)
    run, problem, train = store_run(folder, job_file), job_file.problem(), job_file.job.train
    run.train.mkdir()
    calibration = {
        "floor": FLOOR, "ranges": RANGES, "levels": LEVELS, "factors": [[1, 2, 3, 4]] * len(RANGES),
        "n": [99] * len(RANGES), "fewest": 50,
    }  # fmt: skip
    save_model(run, problem.network(train.network, train.parameters, (128,), seed=1), problem, {}, calibration)
    return run


@pytest.mark.programs
@pytest.mark.ranks
def test_a_run_is_scored_on_held_out_and_on_measured_spectra(run: RunDirectory, tmp_path: Path) -> None:
    survey(tmp_path / "Cu.csv", "Cu")
    table = tmp_path / "known.csv"
    table.write_text("file,composition\nCu.csv,Cu\ngone.csv,Ni\n")
    refused = xpshpc("evaluate", str(run.path), "--measured", str(table), "--json", folder=tmp_path)
    assert refused.returncode == 2 and json.loads(refused.stdout)["where"].startswith(f"{table}, line 3")
    assert not run.evaluate.exists()

    table.write_text("file,composition\nCu.csv,Cu\n")
    told = xpshpc("evaluate", str(run.path), "--measured", str(table), "--ranks", "1", "--json", folder=tmp_path)
    assert told.returncode == 0, told.stderr
    answer = json.loads(told.stdout)
    assert answer["samples"] == 16 and answer["calibration"]["levels"] == list(LEVELS)
    assert answer["measured"]["samples"] == 1 and answer["measured"]["coverage"]["n"] > 0
    assert json.loads((run.evaluate / "measured.json").read_text()) == answer["measured"]
    assert draw_measured(run, open_run(run.path)[1]).panels[-1].title == answer["measured"]["spectra"][0]["name"]

    found = xpshpc(
        "analyze", str(tmp_path / "Cu.csv"), "--model", str(run.path), "--csv", "t.csv", "--json", folder=tmp_path
    )
    assert found.returncode == 0, found.stderr
    analysis = json.loads(found.stdout)
    column = answer["calibration"]["levels"].index(0.9)
    assert analysis["coverage"]["measured"] == round(answer["calibration"]["coverage"]["named"][column], 4)
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as lines:
        halves = {line["element"]: float(line["uncertainty_at_percent"]) for line in csv.DictReader(lines)}
    assert halves == analysis["spectra"][0]["uncertainty_at_percent"] and halves


@pytest.mark.programs
def test_a_table_that_cannot_be_written_is_refused_first(run: RunDirectory, tmp_path: Path) -> None:
    told = xpshpc("analyze", "gone.csv", "--model", str(run.path), "--csv", "t.xlsx", "--json", folder=tmp_path)
    assert told.returncode == 2 and json.loads(told.stdout)["where"] == "t.xlsx"


def test_an_axis_too_coarse_for_a_survey_has_no_unknown_to_read(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    assert analyze_job(run, small_job(tmp_path), tmp_path / "no network") is None
    assert not run.path.exists()
