"""Measured spectra of known composition as figures: how right a network is on each, and what it says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xpshpc.domain import Panel
from xpshpc.drawing import AMBER, BLUE, FAINT, INK, SOFT, draw_svg
from xpshpc.spectra.learning.detection_scores import THRESHOLDS, USUAL
from xpshpc.spectra.survey_scores_file import KeptScores, KeptSurvey, read_survey_scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN_AT_PERCENT = 0.5
"""Elements below it, in the sample and in the answer, have no bar."""

MOST_BARS, MOST_SURVEYS = 40, 12
"""Spectra whose accuracy is drawn, and those whose composition is; of more, the least accurate ones."""

_BAR_IN = 0.24
_ELEMENT_IN = 0.36
_THICK = 0.36
_LONGEST_NAME = 40


def survey_panels(metrics: Mapping[str, Any]) -> Iterator[Panel]:
    """The figures of what `measured` among the metrics tells: all spectra together, then each; nothing without it.

    Raises UsageError where it tells something else.
    """
    if "measured" not in metrics:
        return
    scores = read_survey_scores(metrics["measured"])
    titles = _name_surveys(scores.spectra)
    yield _accuracies(scores, titles)
    for place in _least_accurate(scores.spectra, MOST_SURVEYS):
        yield _composition(scores.spectra[place], titles[place])


def _name_surveys(spectra: Sequence[KeptSurvey]) -> list[str]:
    """Their names; with the file before it where two have the same one, or none."""
    often = Counter(survey.name for survey in spectra)
    return [
        survey.name if survey.name and often[survey.name] == 1 else f"{Path(survey.file).name} {survey.name}".strip()
        for survey in spectra
    ]


def _least_accurate(spectra: Sequence[KeptSurvey], most: int) -> list[int]:
    """The places of at most so many spectra, in the table's order."""
    return sorted(sorted(range(len(spectra)), key=lambda place: spectra[place].accuracy)[:most])


def _accuracies(scores: KeptScores, titles: Sequence[str]) -> Panel:
    shown = _least_accurate(scores.spectra, MOST_BARS)
    percent = [100 * scores.spectra[place].accuracy for place in shown]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.barh(range(len(shown)), percent, height=0.66, color=BLUE)
        for row, value in enumerate(percent):
            axes.text(102, row, f"{value:.2f} %", va="center", fontsize=8.5, color=SOFT)
        axes.axvline(100 * scores.accuracy, color=AMBER, linewidth=1.1, linestyle=(0, (5, 4)))
        _name_rows(axes, [titles[place] for place in shown])
        axes.set_xlim(min(0.0, *percent), 112)
        axes.set_xlabel("Accuracy 1 − Σ|found − known|/2 (%)")

    return Panel(
        "Measured spectra of known composition",
        _tell_scores(scores, len(shown)),
        draw_svg(draw, width_in=8.6, height_in=0.9 + _BAR_IN * len(shown)),
    )


def _tell_scores(scores: KeptScores, drawn: int) -> str:
    number, coverage = len(scores.spectra), scores.coverage
    spectra = "1 spectrum" if number == 1 else f"{number} spectra"
    told = [
        f"{spectra}: mean accuracy {100 * scores.accuracy:.2f} % (dashed line), RMSE {100 * scores.rmse:.2f} at.%; "
        f"elements all right, from {100 * THRESHOLDS[USUAL]:g} at.% on, in {100 * scores.element_set.correct:.1f} %."
    ]
    if coverage is None:
        told.append("The network states no intervals.")
    else:
        told.append(
            f"{round(coverage.measured * coverage.n)} of {coverage.n} known fractions lie within the stated interval: "
            f"{100 * coverage.measured:.1f} %, where {100 * coverage.stated:g} % are stated."
        )
    if drawn < number:
        told.append(f"Drawn are the {drawn} least accurate.")
    below = (
        f"Below: what is known (gray) and what was found, from {SHOWN_AT_PERCENT:g} at.% on, with the stated interval"
    )
    few = f" of the {MOST_SURVEYS} least accurate" if number > MOST_SURVEYS else ""
    return " ".join([*told, f"{below}{few}; amber where that does not hold what is known."])


def _composition(survey: KeptSurvey, title: str) -> Panel:
    known, found = survey.known_at_percent, survey.composition_at_percent
    seen = [
        element
        for element in dict.fromkeys((*known, *found))
        if max(known.get(element, 0.0), found.get(element, 0.0)) >= SHOWN_AT_PERCENT
    ]
    elements = sorted(seen, key=lambda element: (-known.get(element, 0.0), -found.get(element, 0.0)))

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for row, element in enumerate(elements):
            _draw_element(axes, row, survey, element)
        _name_rows(axes, elements)
        axes.set_xlim(0, 150)
        axes.set_xticks(range(0, 101, 20))
        axes.set_xlabel("Fraction (at.%)")

    faults = [
        f"{what}: {', '.join(those)}."
        for what, those in (("Missed", survey.missed), ("Wrongly named", survey.wrongly_named))
        if those
    ]
    return Panel(
        title,
        " ".join([f"Accuracy {100 * survey.accuracy:.2f} %.", *faults]),
        draw_svg(draw, width_in=4.6, height_in=0.8 + _ELEMENT_IN * len(elements)),
    )


def _draw_element(axes: Axes, row: int, survey: KeptSurvey, element: str) -> None:
    known, found = (table.get(element, 0.0) for table in (survey.known_at_percent, survey.composition_at_percent))
    interval = survey.interval_at_percent.get(element)
    colour = AMBER if element in survey.outside else BLUE
    axes.barh(row - _THICK / 2, known, height=_THICK, color=FAINT, edgecolor=SOFT, linewidth=0.6)
    axes.barh(row + _THICK / 2, found, height=_THICK, color=colour)
    written = f"{found:.1f}"
    if interval is not None:
        low, high = interval
        axes.plot([low, high], [row + _THICK / 2] * 2, "|-", color=INK, linewidth=1.1, markersize=6)
        written += f" ({low:.1f}–{high:.1f})"
    axes.text(105, row - _THICK / 2, f"{known:.1f}", va="center", fontsize=8.5, color=SOFT)
    axes.text(105, row + _THICK / 2, written, va="center", fontsize=8.5, color=INK)


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Names beside rows, the first one on top; what a file calls itself is no formula to be typeset."""
    short = [name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…" for name in names]
    axes.set_yticks(range(len(names)), short, fontsize=8.5)
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
