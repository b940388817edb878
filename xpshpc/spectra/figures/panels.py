"""The figures of XPS for a run's report: example spectra, answers against the truth, and scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from xpshpc.domain import Arrays, Panel
from xpshpc.spectra.elements import ELEMENT_INDEX, ELEMENTS
from xpshpc.spectra.embedded import DEVICE
from xpshpc.spectra.figures.calibration_figure import calibration_panels
from xpshpc.spectra.figures.line_marks import LineMark, choose_marks
from xpshpc.spectra.figures.parity import composition_parity, thickness_parity
from xpshpc.spectra.figures.score_figures import score_panels
from xpshpc.spectra.figures.spectrum_plot import spectrum_svg
from xpshpc.spectra.figures.survey_figures import survey_panels
from xpshpc.spectra.lines.line_table import line_table
from xpshpc.spectra.lines.sources import xray_sources
from xpshpc.spectra.matter.sample import parse_formula
from xpshpc.spectra.settings import SpectraSettings

EXAMPLES = 3


def make_panels(
    settings: SpectraSettings, rows: Arrays, truth: Arrays, answer: Arrays, metrics: Mapping[str, Any]
) -> list[Panel]:
    """The report's figures. What needs `truth` and `answer`, stored `rows` or `metrics` is left out where they lack it.

    `rows` are samples of the store; `truth` and `answer` hold `composition` (n, elements) in atomic fractions and
    `overlayer_thickness` (n,) in Å; `metrics` are those of an evaluation, and `measured` among them the scores on
    measured spectra of known composition. Raises UsageError where these are something else.
    """
    panels = list(_example_panels(settings, rows)) if rows else []
    if len(truth.get("composition", ())) and len(answer.get("composition", ())):
        panels += [composition_parity(truth, answer), thickness_parity(truth, answer)]
    return [*panels, *score_panels(metrics), *calibration_panels(metrics), *survey_panels(metrics)]


def _example_panels(settings: SpectraSettings, rows: Arrays) -> Iterator[Panel]:
    compositions = np.asarray(rows["composition"])
    order = np.argsort((compositions > 0).sum(axis=1), kind="stable")
    chosen = order[np.linspace(0, len(order) - 1, min(EXAMPLES, len(order))).astype(int)] if len(order) else []
    photon_eV = xray_sources()[settings.instrument.source].photon_energy_eV
    low, _ = settings.instrument.window_eV
    axis = low + settings.instrument.channel_eV * np.arange(settings.instrument.channels, dtype=np.float64)
    for row in chosen:
        symbols = sorted(
            (ELEMENTS[place] for place in np.flatnonzero(compositions[row])),
            key=lambda symbol: -compositions[row, ELEMENT_INDEX[symbol]],
        )
        shares = {symbol: 100 * float(compositions[row, ELEMENT_INDEX[symbol]]) for symbol in symbols}
        legend = {symbol: f"{symbol} {share:.1f} at.%" for symbol, share in shares.items()}
        thickness = float(rows["overlayer_thickness"][row])
        overlayer = [symbol for symbol in parse_formula(settings.samples.overlayer) if symbol not in shares]
        legend |= {symbol: f"{symbol} (overlayer)" for symbol in overlayer}
        svg = spectrum_svg(
            axis,
            np.asarray(rows["spectrum"][row], dtype=np.float64),
            photon_eV,
            _marks_of_row(settings, rows, int(row), symbols, overlayer),
            " ".join(f"{symbol}{share:.0f}" for symbol, share in shares.items()),
            f"{settings.samples.overlayer} overlayer of {thickness:.1f} Å",
            legend=legend,
        )
        yield Panel(
            f"Simulated spectrum of {len(symbols)} element{'s' if len(symbols) > 1 else ''}",
            _describe_measurement(rows, int(row)),
            svg,
        )


def _describe_measurement(rows: Arrays, row: int) -> str:
    lines = "The strongest lines of its elements are marked where the sample's chemical shifts put them."
    if "device" not in rows:
        return lines
    measured = dict(zip(DEVICE, map(float, rows["device"][row]), strict=True))
    return (
        f"A stored sample, about {measured['peak_counts']:.0f} counts in its strongest channel, "
        f"measured with {measured['analyser_fwhm_eV']:.2f} eV resolution (FWHM). {lines}"
    )


def _marks_of_row(
    settings: SpectraSettings, rows: Arrays, row: int, symbols: list[str], overlayer: list[str]
) -> list[LineMark]:
    low, high = settings.instrument.window_eV
    table = line_table(settings.instrument.source)
    drawn = [int(place) for place in rows["drawn_elements"][row]] if "drawn_elements" in rows else []
    shifts = {ELEMENTS[place]: float(rows["shifts"][row][n]) for n, place in enumerate(drawn) if place >= 0}
    marks = choose_marks(table, symbols, low, high) + choose_marks(table, overlayer, low, high, most=1)
    return [replace(mark, kinetic_energy_eV=mark.kinetic_energy_eV - shifts.get(mark.element, 0.0)) for mark in marks]
