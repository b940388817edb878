"""Answers against the truth, sample by sample, as a density of points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xpshpc.domain import Arrays, Panel
from xpshpc.drawing import AMBER, DENSITY, draw_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SEEN_AT_PERCENT = 0.1
_BINS = 80
_LOGARITHMIC_FROM = 20.0


def composition_parity(truth: Arrays, answer: Arrays) -> Panel:
    """Every fraction of 0.1 at.% and more, true or predicted, as a density."""
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


def thickness_parity(truth: Arrays, answer: Arrays) -> Panel:
    """The overlayer's thickness of every sample, as a density, with mean error and bias in words."""
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
