"""`make physics`: the comparison is honest about what it is given, and its page stands alone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from benchmarks.physics.published import auger_residuals, compare_with_published
from benchmarks.physics.sessa_reference import STEPS, read_step, sessa_area
from benchmarks.physics.surveys import read_cases, satellite_share
from xpshpc.spectra.figures.comparison_plot import compare
from xpshpc.spectra.lines.lineshape import line_profile
from xpshpc.spectra.measured import read_measured

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data" / "xps"
measured = pytest.mark.skipif(not DATA.is_dir(), reason=f"the measured surveys are not here ({DATA})")


def test_published_values_are_met() -> None:
    assert {f"{one.quantity}, {one.subject}": one.deviation for one in compare_with_published() if not one.met} == {}


def test_the_rule_for_auger_energies_is_as_good_as_it_is_said_to_be() -> None:
    """L3M45M45 (Fe–Se) is placed to 2 eV or so; KLL is missed by several eV, which is why it has a table."""
    found = {one.group: one for one in auger_residuals()}
    assert abs(found["L3M45M45"].mean_eV) < 2.0 and found["L3M45M45"].spread_eV < 3.0
    assert found["KL23L23"].spread_eV > 3.0


def test_scaling_by_least_squares_leaves_nothing_of_the_same_spectrum() -> None:
    energy = np.linspace(400.0, 1400.0, 500)
    one = 10.0 + line_profile(energy - 900.0, np.array(1.0), np.array(2.0), np.array(0.0), np.array(0.0))
    agreement = compare(("one", "other"), energy, one, 3.5 * one)
    assert agreement.scale == pytest.approx(1 / 3.5) and agreement.rms == pytest.approx(0.0, abs=1e-12)
    other = one + np.where(np.arange(500) % 2, 0.5, -0.5)
    assert compare(("one", "other"), energy, one, other).rms == pytest.approx(0.5, rel=5e-3)


@measured
@pytest.mark.parametrize("case", read_cases(), ids=lambda case: case.title)
def test_the_surveys_have_no_satellites_and_one_would_be_seen(case) -> None:
    """As measured, under 1.5 % where a bare anode would put 4 %; with Al Kα3,4 added by hand, the 4 % are found."""
    (survey,) = read_measured(DATA / "surveys" / case.file)
    share, error = satellite_share(survey, case.line_eV)
    assert abs(share) < 0.015 and error < 0.01
    energy, intensity = survey.kinetic_energy_eV, survey.intensity
    lit = intensity + sum(
        height * np.interp(energy - shift, energy, intensity) for shift, height in ((9.8, 0.064), (11.8, 0.032))
    )
    more, _ = satellite_share(type(survey)(**{**vars(survey), "intensity": lit}), case.line_eV)
    assert 0.02 < more - share < 0.07


@measured
def test_sessas_sessions_are_read_as_they_are_written() -> None:
    """Seventeen layers; areas above a straight line as published with the files (Nb, t = 14: 3.270e-6)."""
    for step in STEPS:
        assert len(read_step(DATA / "sessa_reference", step).layers) == 17
    before, after = (read_step(DATA / "sessa_reference", step) for step in ("14", "17"))
    changed = [
        (one.thickness_A, other.thickness_A)
        for one, other in zip(before.layers[:9], after.layers[:9], strict=True)
        if one != other
    ]
    assert changed == [(25.0, 10.0)], "only the silicon above the niobium becomes thinner"
    assert sessa_area(DATA / "sessa_reference" / "Nb-14.dat") == pytest.approx(3.270e-6, rel=5e-3)
    assert sessa_area(DATA / "sessa_reference" / "Si-24.dat") == pytest.approx(4.102e-6, rel=5e-3)


def test_without_the_data_the_page_says_so_and_loads_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.physics", str(tmp_path), "--data", str(tmp_path / "none")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "physics.html").read_text(encoding="utf-8")
    assert "are not here" in page and "What cannot be compared here" in page
    assert not re.search(r"(src|href)=\"?https?:", page)
    answer = json.loads((tmp_path / "physics.json").read_bytes())
    assert answer["surveys"] == [] and answer["published"]
    tags = _Tags()
    tags.feed(page)
    assert tags.open == []


class _Tags(HTMLParser):
    """The elements that are open."""

    VOID = frozenset(("meta", "br", "img"))

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> where {self.open[-3:]} are open"
        self.open.pop()
