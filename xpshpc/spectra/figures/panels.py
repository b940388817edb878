"""The figures of XPS for a run's report: example spectra, parity of composition and thickness, error by element."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.domain import Arrays, Panel
from xpshpc.drawing import AMBER, BLUE, DENSITY, SOFT, draw_svg
from xpshpc.spectra.elements import ELEMENT_INDEX, ELEMENTS
from xpshpc.spectra.embedded import DEVICE
from xpshpc.spectra.figures.line_marks import LineMark, choose_marks
from xpshpc.spectra.figures.periodic_table import draw_periodic_table
from xpshpc.spectra.figures.spectrum_plot import spectrum_svg
from xpshpc.spectra.lines.line_table import line_table
from xpshpc.spectra.lines.sources import xray_sources
from xpshpc.spectra.matter.sample import parse_formula
from xpshpc.spectra.settings import SpectraSettings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EXAMPLES = 3
SEEN_AT_PERCENT = 0.1
_BINS = 80
_LOGARITHMIC_FROM = 20.0
_FRACTION_EDGES = np.array([0.1, 0.5, 1, 2, 5, 10, 20, 35, 50, 70, 99.99, 100.01])


def make_panels(
    settings: SpectraSettings, rows: Arrays, truth: Arrays, answer: Arrays, metrics: Mapping[str, Any]
) -> list[Panel]:
    """The report's figures. What needs `truth` and `answer`, or the stored `rows`, is left out where they are empty.

    `rows` are samples of the store; `truth` and `answer` hold `composition` (n, 80) in atomic fractions and
    `overlayer_thickness` (n,) in Å.
    """
    panels = list(_example_panels(settings, rows)) if rows else []
    if len(truth.get("composition", ())) and len(answer.get("composition", ())):
        panels.append(_composition_parity(truth, answer))
        panels.append(_thickness_parity(truth, answer))
        panels.append(_error_by_fraction(truth, answer))
    told = {symbol: scores.get("mae_present") for symbol, scores in metrics.get("elements", {}).items()}
    errors = {symbol: 100 * error for symbol, error in told.items() if error is not None}
    if errors:
        panels.append(_error_by_element(errors))
    return panels


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


def _composition_parity(truth: Arrays, answer: Arrays) -> Panel:
    true, found = 100 * truth["composition"].ravel(), 100 * answer["composition"].ravel()
    shown = (true >= SEEN_AT_PERCENT) | (found >= SEEN_AT_PERCENT)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        _draw_density(figure, axes, true[shown], found[shown], (0.0, 100.0), "elements of samples")
        axes.set_xlabel("True fraction (at.%)")
        axes.set_ylabel("Predicted fraction (at.%)")

    return Panel(
        "Composition: predicted against true",
        f"{len(truth['composition'])} held-out samples, every element that is in the sample or in the answer with "
        f"{SEEN_AT_PERCENT:g} at.% or more. On the left edge: elements that are not there; at the bottom: overlooked.",
        draw_svg(draw, width_in=5.0, height_in=4.3),
    )


def _thickness_parity(truth: Arrays, answer: Arrays) -> Panel:
    true = np.asarray(truth["overlayer_thickness"], dtype=np.float64).ravel()
    found = np.asarray(answer["overlayer_thickness"], dtype=np.float64).ravel()
    top = float(max(true.max(), found.max(), 1.0)) * 1.02

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        _draw_density(figure, axes, true, found, (min(0.0, float(found.min())), top), "samples")
        axes.set_xlabel("True overlayer thickness (Å)")
        axes.set_ylabel("Predicted overlayer thickness (Å)")

    error = found - true
    return Panel(
        "Overlayer thickness: predicted against true",
        f"{len(true)} held-out samples; mean error {np.abs(error).mean():.2f} Å, bias {error.mean():+.2f} Å.",
        draw_svg(draw, width_in=5.0, height_in=4.3),
    )


def _draw_density(
    figure: Figure,
    axes: Axes,
    true: NDArray[np.float64],
    found: NDArray[np.float64],
    bounds: tuple[float, float],
    counted: str,
) -> None:
    from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

    counts, _, _ = np.histogram2d(true, found, bins=_BINS, range=(bounds, bounds))
    most = max(1.0, float(counts.max()))
    many = most >= _LOGARITHMIC_FROM
    colours = LinearSegmentedColormap.from_list("density", DENSITY)
    image = axes.imshow(
        np.ma.masked_equal(counts.T, 0),
        origin="lower",
        extent=(*bounds, *bounds),
        cmap=colours,
        norm=LogNorm(1, most) if many else Normalize(0, most),
        interpolation="nearest",
        aspect="equal",
        zorder=2,
    )
    axes.plot(bounds, bounds, color=AMBER, linewidth=0.9, linestyle=(0, (5, 4)), zorder=3)
    bar = figure.colorbar(image, ax=axes, shrink=0.75, pad=0.02)
    bar.set_label(f"Number of {counted}")
    if many:
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:g}"))
        bar.ax.yaxis.set_minor_formatter(NullFormatter())
    else:
        bar.ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    bar.outline.set_visible(False)


def _error_by_fraction(truth: Arrays, answer: Arrays) -> Panel:
    true, found = 100 * truth["composition"].ravel(), 100 * answer["composition"].ravel()
    there = true >= _FRACTION_EDGES[0]
    error = (found - true)[there]
    place = np.digitize(true[there], _FRACTION_EDGES) - 1
    filled = [n for n in range(len(_FRACTION_EDGES) - 1) if (place == n).any()]
    middle = [float(true[there][place == n].mean()) for n in filled]
    absolute = [float(np.abs(error[place == n]).mean()) for n in filled]
    bias = [float(error[place == n].mean()) for n in filled]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.axhline(0, color=SOFT, linewidth=0.8)
        axes.plot(middle, absolute, "o-", color=BLUE, linewidth=1.4, markersize=4.5, label="mean absolute error")
        axes.plot(middle, bias, "s--", color=AMBER, linewidth=1.2, markersize=4, label="bias (predicted − true)")
        axes.set_xscale("log")
        ticks = [1, 2, 5, 10, 20, 50, 100]
        axes.set_xticks(ticks, [f"{tick}" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("True fraction (at.%)")
        axes.set_ylabel("Error (at.%)")
        axes.legend()

    return Panel(
        "Error against the true fraction",
        "Means over the elements of the held-out samples whose true fractions lie in one of "
        f"{len(filled)} intervals; pure samples stand by themselves on the right.",
        draw_svg(draw, width_in=8.6, height_in=3.8),
    )


def _error_by_element(errors: Mapping[str, float]) -> Panel:
    worst = sorted(errors, key=lambda symbol: -errors[symbol])[:5]
    told = ", ".join(f"{symbol} {errors[symbol]:.2f}" for symbol in worst)
    return Panel(
        "Error by element",
        f"Mean absolute error in held-out samples that contain the element; largest: {told} at.%.",
        draw_periodic_table(errors, unit="at.%", label="Mean absolute error"),
    )
