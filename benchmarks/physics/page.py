"""physics.html: one file with all figures in it, and physics.json with the same numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from benchmarks.physics.evidence import LIMITS, Section, make_headlines, show_profile, show_published, show_surveys
from benchmarks.physics.published import AugerResidual, Comparison
from benchmarks.physics.sessa_reference import STEPS, ProfileComparison
from benchmarks.physics.surveys import SurveyFit
from xpshpc.report.embed import rename_identifiers
from xpshpc.run_directory import write_atomically

_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


def write_page(
    folder: Path,
    fits: Sequence[SurveyFit],
    profiles: Sequence[ProfileComparison],
    published: Sequence[Comparison],
    residuals: Sequence[AugerResidual],
    missing: str,
) -> Path:
    """Writes both files into a folder and returns the page's path. `missing` says which data were not there."""
    sections = [show_surveys(fits, missing), show_profile(profiles, missing), show_published(published, residuals)]
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(Path(__file__).with_name("physics.html.j2").read_text(encoding="utf-8"))
    best = min(profiles, key=lambda profile: profile.worst, default=None)
    text = template.render(
        style=_report_style(),
        version=version("xpshpc"),
        headlines=make_headlines(fits, best, published),
        sections=[_with_own_identifiers(section, number) for number, section in enumerate(sections)],
        limits=LIMITS,
    )
    page = folder / "physics.html"
    write_atomically(page, text.encode())
    answer = _as_json(fits, profiles, published, residuals)
    write_atomically(folder / "physics.json", json.dumps(answer, indent=1, ensure_ascii=False).encode())
    return page


def _report_style() -> str:
    """The page is dressed as a run's report is."""
    template = files("xpshpc.report").joinpath("style.html.j2").read_text(encoding="utf-8")
    found = _STYLE.search(template)
    assert found is not None
    return found[1]


def _with_own_identifiers(section: Section, number: int) -> dict[str, Any]:
    """A section whose figures do not share identifiers with another's."""
    figures = [
        {"svg": rename_identifiers(figure.svg, f"s{number}-{place}-"), "caption": figure.caption}
        for place, figure in enumerate(section.figures)
    ]
    return {
        **{name: getattr(section, name) for name in ("title", "paragraphs", "tables", "missing")},
        "figures": figures,
    }


def _as_json(
    fits: Sequence[SurveyFit],
    profiles: Sequence[ProfileComparison],
    published: Sequence[Comparison],
    residuals: Sequence[AugerResidual],
) -> dict[str, Any]:
    return {
        "surveys": [fit.as_json() for fit in fits],
        "sessa_profile": [
            {**asdict(profile), "steps": list(STEPS), "worst_relative_deviation": profile.worst} for profile in profiles
        ],
        "published": [{**asdict(one), "met": one.met} for one in published],
        "auger_residuals": [asdict(one) for one in residuals],
    }
