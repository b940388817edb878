"""What a network scored on measured spectra stands in the report; a file that tells something else costs a sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.evaluate.image_runs import wafer_run
from tests.report.test_html import EVIL, read_page
from tests.train.stored_run import small_job
from xpshpc.config import JobFile
from xpshpc.report.html import write_report
from xpshpc.report.measured_scores import MEASURED
from xpshpc.run_directory import RunDirectory, open_run, save_job, write_atomically
from xpshpc.spectra.analysis import SpectrumAnalysis
from xpshpc.spectra.figures.survey_figures import MOST_BARS, MOST_SURVEYS, survey_panels
from xpshpc.spectra.known_surveys import KnownSurveyScores, SurveyScore
from xpshpc.train.result import file_hash

LEFT_OUT = f"evaluate/{MEASURED} is left out"
AGAIN = "xpshpc evaluate RUN --measured TABLE"


def judged(
    name: str,
    known: Mapping[str, float],
    found: Mapping[str, float],
    accuracy: float,
    *,
    halves: Mapping[str, float] | None = None,
    **faults: tuple[str, ...],
) -> SurveyScore:
    """A spectrum's score, with `missed`, `wrongly_named` or `outside` by keyword."""
    halves = halves or {}
    analysis = SpectrumAnalysis(Path(f"{name}.vms"), name, found, 0.0, 7.25, uncertainty_at_percent=halves)
    lists = {"missed": (), "wrongly_named": (), "outside": (), **faults}
    return SurveyScore(known, analysis, accuracy, 0.01, intervals=len(halves), **lists)


SURVEYS = (
    judged(
        f"brass $\\frac$ {EVIL}",
        {"Cu": 63.7, "Zn": 36.3},
        {"Cu": 57.4, "Zn": 41.2, "C": 1.1, "O": 0.3},
        0.9371,
        halves={"Cu": 3.1, "Zn": 5.6, "C": 2.5},
        wrongly_named=("C",),
        outside=("Cu",),
    ),
    judged("nickel", {"Ni": 100.0}, {"Ni": 98.8, "Fe": 1.2}, 0.9882, missed=(), wrongly_named=("Fe",)),
)


def tell(*surveys: SurveyScore) -> dict[str, Any]:
    return json.loads(json.dumps(KnownSurveyScores(Path("known.csv"), surveys).as_json()))


@pytest.fixture
def judged_run(tmp_path: Path) -> tuple[RunDirectory, JobFile]:
    """A run with a network and its scores on two measured spectra."""
    job_file = small_job(tmp_path, samples=320)
    run = RunDirectory(tmp_path / "small")
    save_job(run, job_file)
    run.train.mkdir()
    run.model.write_bytes(b"weights")
    keep(run, tell(*SURVEYS) | {"model_sha256": file_hash(run.model)})
    return run, job_file


def keep(run: RunDirectory, told: Any) -> None:
    write_atomically(run.evaluate / MEASURED, told if isinstance(told, bytes) else json.dumps(told).encode())


def test_the_numbers_of_the_file_stand_on_the_page(judged_run: tuple[RunDirectory, JobFile]) -> None:
    page, text = read_page(write_report(*judged_run))
    for told in (
        "Measured spectra of known composition",
        f"brass $\\frac$ {EVIL}",
        "mean accuracy 96.27 %",
        "RMSE 1.00 at.%",
        "2 of 3 known fractions lie within the stated interval: 66.7 %, where 90 % are stated",
        "elements all right, from 1 at.% on, in 0.0 %",
        "Accuracy 93.71 %. Wrongly named: C.",
        "Accuracy 98.82 %. Wrongly named: Fe.",
        "63.7",
        "57.4 (54.3–60.5)",
        "41.2 (35.6–46.8)",
        "1.1 (0.0–3.6)",
        "98.8",
    ):
        assert told in text, told
    assert "0.3" not in re.findall(r"\d+\.\d+", text), "what is below half a per cent has no bar"
    assert LEFT_OUT not in text
    assert {tag for tag, _, _ in page.attributes}.isdisjoint({"script", "iframe", "object", "embed", "link"})


def test_without_the_file_there_is_neither_figure_nor_sentence(judged_run: tuple[RunDirectory, JobFile]) -> None:
    (judged_run[0].evaluate / MEASURED).unlink()
    assert "easured" not in read_page(write_report(*judged_run))[1].partition("What ran")[0]


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in tell(*SURVEYS).items() if name != key}


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (b"", "it is damaged"),
        (json.dumps(tell(*SURVEYS)).encode()[:-40], "it is damaged"),
        (b"\xff\xfe", "it is damaged"),
        (b"[" * 100_000, "it is damaged"),
        ([], "these are no scores of measured spectra"),
        ({"spectra": 3}, "these are no scores of measured spectra"),
        (without("accuracy"), "accuracy: Field required"),
        (tell(*SURVEYS) | {"accuracy": float("nan")}, "accuracy: Input should be a finite number"),
        (tell(*SURVEYS) | {"spectra": []}, "spectra: Tuple should have at least 1 item"),
        (tell(*SURVEYS) | {"spectra": [{**tell(*SURVEYS)["spectra"][0], "accuracy": 1e308}]}, "spectra.0.accuracy"),
        (tell(*SURVEYS) | {"model_sha256": "0" * 64}, "it is of a network that the run has no longer"),
    ],
)
def test_a_torn_or_foreign_file_costs_its_figures_and_a_sentence(
    told: Any, why: str, judged_run: tuple[RunDirectory, JobFile]
) -> None:
    run, job_file = judged_run
    keep(run, told)
    _, text = read_page(write_report(run, job_file))
    assert f"{LEFT_OUT}: " in text and why in text and AGAIN in text
    assert "of known composition" not in text and "What ran" in text


def test_scores_of_spectra_in_a_run_of_wafers_cost_a_sentence_too(tmp_path: Path) -> None:
    run, job_file = open_run(wafer_run(tmp_path, samples=16).path)
    keep(run, tell(*SURVEYS))
    _, text = read_page(write_report(run, job_file))
    assert f"{LEFT_OUT}: nothing in it is of wafers" in text


def test_of_very_many_spectra_the_least_accurate_are_drawn() -> None:
    number = MOST_BARS + 20
    many = [judged(f"s{n}", {"Cu": 100.0}, {"Cu": 100.0}, 0.5 + n % 50 / 100) for n in range(number)]
    whole, *each = survey_panels({"measured": tell(*many)})
    assert f"{number} spectra: " in whole.caption and f"Drawn are the {MOST_BARS} least accurate." in whole.caption
    assert "The network states no intervals." in whole.caption
    shown = [panel.title for panel in each]
    least = sorted(range(number), key=lambda n: n % 50)[:MOST_SURVEYS]
    assert shown == [f"s{n}" for n in sorted(least)]


def test_spectra_of_one_name_are_told_apart_by_their_files() -> None:
    told = tell(*SURVEYS, SURVEYS[1])
    told["spectra"][1]["file"] = "/elsewhere/other.vms"
    titles = [panel.title for panel in survey_panels({"measured": told})]
    assert titles[2:] == ["other.vms nickel", "nickel.vms nickel"]
