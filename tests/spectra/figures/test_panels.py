"""The report's figures of XPS show what is stored and answered, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.train.stored_run import small_job
from xpshpc.domain import Panel
from xpshpc.spectra.elements import ELEMENT_INDEX, ELEMENTS
from xpshpc.spectra.figures.calibration_figure import calibration_panels
from xpshpc.spectra.figures.line_marks import choose_marks
from xpshpc.spectra.figures.panels import _marks_of_row, make_panels
from xpshpc.spectra.figures.score_figures import score_panels
from xpshpc.spectra.learning.calibration import calibrate, count_errors
from xpshpc.spectra.learning.calibration import test_calibration as measure_coverage
from xpshpc.spectra.learning.scores import score, summarise
from xpshpc.spectra.lines.line_table import line_table
from xpshpc.spectra.settings import SpectraSettings


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[SpectraSettings, dict[str, np.ndarray]]:
    job_file = small_job(tmp_path_factory.mktemp("job"))
    source = job_file.domain.source("embedded", job_file.settings, {}, 3)
    assert isinstance(job_file.settings, SpectraSettings)
    return job_file.settings, source.make(np.arange(12))


def titles(panels: list[Panel]) -> list[str]:
    return [panel.title for panel in panels]


def predict(truth: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    """Answers that err by about as much as they say."""
    random = np.random.default_rng(seed)
    spread = 0.001 + 0.05 * truth["composition"]
    told = np.abs(truth["composition"] + random.laplace(0, spread))
    return {
        "composition": told / told.sum(axis=1, keepdims=True),
        "overlayer_thickness": truth["overlayer_thickness"] + random.normal(0, 1, len(told)),
        "composition_spread": spread,
    }


def samples(count: int, elements: int, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    fractions = random.dirichlet(np.full(elements, 0.3), count) * (random.random((count, elements)) < 0.6)
    fractions[:, 0] += 1e-3
    return {
        "composition": fractions / fractions.sum(axis=1, keepdims=True),
        "overlayer_thickness": random.uniform(0, 40, count),
    }


def judged(truth: dict[str, np.ndarray], answer: dict[str, np.ndarray], symbols: Sequence[str]) -> dict[str, Any]:
    """The metrics of an evaluation, with a calibration that was learned on other samples."""
    others = samples(2048, len(symbols), 8)
    calibration = calibrate(count_errors(others, predict(others, 9)))
    tested = measure_coverage(count_errors(truth, answer), calibration)
    return summarise(score(truth, answer), symbols) | {"calibration": tested}


def test_every_panel_is_a_picture_with_title_and_caption(rows: tuple[SpectraSettings, dict[str, np.ndarray]]) -> None:
    settings, stored = rows
    symbols = ("C", "O", "Cu", "Cd", "Sc")
    truth = samples(1500, len(symbols), 1)
    answer = predict(truth, 2)
    panels = make_panels(settings, stored, truth, answer, judged(truth, answer, symbols))
    assert titles(panels)[3:] == [
        "Composition: predicted against true",
        "Overlayer thickness: predicted against true",
        "Error against the true fraction",
        "Error by element",
        "Detection by element",
        "Most confused elements",
        "Stated uncertainty",
    ]
    for panel in panels:
        assert panel.title and panel.caption.endswith(".")
        assert ElementTree.fromstring(panel.svg).tag.endswith("svg")


def test_figures_tell_what_was_measured() -> None:
    symbols = ("C", "O", "Cu", "Cd", "Sc")
    truth = samples(1500, len(symbols), 1)
    truth["composition"][:, 3:] = [[1.0, 0.0]]
    truth["composition"] /= truth["composition"].sum(axis=1, keepdims=True)
    answer = {name: values.copy() for name, values in truth.items()}
    answer["composition"][:300, [3, 4]] = answer["composition"][:300, [4, 3]]
    told = {
        panel.title: panel
        for panel in score_panels(judged(truth, answer | {"composition_spread": 0.01 * truth["composition"]}, symbols))
    }
    assert set(told) >= {"Error by element", "Detection by element", "Most confused elements"}
    assert "largest: Cd " in told["Error by element"].caption
    assert "lowest: Cd 88.9" in told["Detection by element"].caption
    confused = told["Most confused elements"]
    assert confused.caption.startswith("Cd → Sc:")
    assert "swapped in 300 of 1500" in confused.svg


def test_perfect_answers_confuse_nothing() -> None:
    truth = samples(50, 3, 1)
    metrics = summarise(score(truth, truth), ("C", "O", "Cu"))
    assert "Most confused elements" not in [panel.title for panel in score_panels(metrics)]


def test_a_calibration_without_answers_in_it_is_not_drawn() -> None:
    nothing = {
        "levels": [0.5, 0.9], "ranges": [[0, 0.5], [0.5, 1]],
        "coverage": {"named": [None, None], "present": [None, None], "by_range": [[None, None], [None, None]]},
        "mean_half_width": [[None, None], [None, None]], "n": {"named": 0, "present": 0, "by_range": [0, 0]},
    }  # fmt: skip
    assert not list(calibration_panels({"calibration": nothing}))
    assert not list(calibration_panels({}))
    half = nothing | {
        "coverage": {"named": [0.61, 0.93], "present": [0.5, None], "by_range": [[0.61, 0.93], [None, None]]},
        "mean_half_width": [[0.01, 0.02], [None, None]],
        "n": {"named": 40, "present": 8, "by_range": [40, 0]},
    }
    (panel,) = calibration_panels({"calibration": half})
    assert "measured 93.0 % for 90 % stated" in panel.caption


def test_without_answers_only_samples_are_shown_and_without_anything_nothing(
    rows: tuple[SpectraSettings, dict[str, np.ndarray]],
) -> None:
    settings, stored = rows
    assert all(title.startswith("Simulated spectrum") for title in titles(make_panels(settings, stored, {}, {}, {})))
    assert make_panels(settings, {}, {}, {}, {}) == []
    assert make_panels(settings, {name: values[:0] for name, values in stored.items()}, {}, {}, {}) == []


def test_marks_follow_the_sample_s_chemical_shifts(rows: tuple[SpectraSettings, dict[str, np.ndarray]]) -> None:
    settings, stored = rows
    low, high = settings.instrument.window_eV
    for row in range(len(stored["composition"])):
        symbols = [ELEMENTS[place] for place in np.flatnonzero(stored["composition"][row])]
        there = choose_marks(line_table(settings.instrument.source), symbols, low, high)
        shown = _marks_of_row(settings, stored, row, symbols, [])
        for mark, moved in zip(there, shown, strict=True):
            place = list(stored["drawn_elements"][row]).index(ELEMENT_INDEX[mark.element])
            shift = float(stored["shifts"][row][place])
            assert moved.kinetic_energy_eV == pytest.approx(mark.kinetic_energy_eV - shift, abs=1e-6)


def test_figures_are_small_however_many_samples_there_are(rows: tuple[SpectraSettings, dict[str, np.ndarray]]) -> None:
    settings, _ = rows
    truth = samples(4096, len(ELEMENTS), 0)
    answer = predict(truth, 1)
    panels = make_panels(settings, {}, truth, answer, judged(truth, answer, ELEMENTS))
    assert sum(len(panel.svg) for panel in panels) < 400_000
