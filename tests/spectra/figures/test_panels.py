"""The report's figures of XPS show what is stored and answered, and nothing else."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.train.stored_run import small_job
from xpshpc.domain import Panel
from xpshpc.spectra.elements import ELEMENT_INDEX, ELEMENTS
from xpshpc.spectra.figures.line_marks import choose_marks
from xpshpc.spectra.figures.panels import _marks_of_row, make_panels
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


def test_every_panel_is_a_picture_with_title_and_caption(rows: tuple[SpectraSettings, dict[str, np.ndarray]]) -> None:
    settings, stored = rows
    truth = {name: stored[name] for name in ("composition", "overlayer_thickness")}
    metrics = {"elements": {"Cu": {"mae_present": 0.01}, "O": {"mae_present": None}}}
    panels = make_panels(settings, stored, truth, truth, metrics)
    assert len(panels) == 3 + 4
    for panel in panels:
        assert panel.title and panel.caption.endswith(".")
        assert ElementTree.fromstring(panel.svg).tag.endswith("svg")
    assert "mean error 0.00 Å" in " ".join(panel.caption for panel in panels)


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


def test_figures_are_small_however_many_samples_there_are(
    rows: tuple[SpectraSettings, dict[str, np.ndarray]], tmp_path: Path
) -> None:
    settings, _ = rows
    random = np.random.default_rng(0)
    truth = {
        "composition": random.dirichlet(np.ones(80) / 20, size=4096),
        "overlayer_thickness": random.uniform(0, 40, 4096),
    }
    answer = {name: np.clip(values + random.normal(0, 0.01, values.shape), 0, None) for name, values in truth.items()}
    panels = make_panels(settings, {}, truth, answer, {})
    assert sum(len(panel.svg) for panel in panels) < 200_000
