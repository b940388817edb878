"""Scores of an evaluation as figures: errors against fraction and by element, detection, and confused pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from xpshpc.domain import Panel
from xpshpc.drawing import AMBER, BLUE, INK, SOFT, draw_svg
from xpshpc.spectra.figures.periodic_table import draw_periodic_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PAIRS = 12
_NAMED = 5
_TICKS_AT_PERCENT = (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
_F1_STEP = 10.0
_PAIR_IN = 0.27

Told = Mapping[str, Any]


def score_panels(metrics: Told) -> Iterator[Panel]:
    """The figures of what the metrics tell; what they do not tell has none."""
    bins = [place for place in metrics.get("error_by_fraction", ()) if place["count"] and place["mean"]]
    if bins:
        yield _error_by_fraction(bins, metrics["error_by_fraction"][0])
    elements = metrics.get("elements", {})
    errors = _by_element(elements, "mae_present")
    if errors:
        yield _error_by_element(errors)
    f1 = _by_element({symbol: scores for symbol, scores in elements.items() if scores.get("present")}, "f1")
    if f1:
        yield _detection_by_element(f1)
    if metrics.get("confused"):
        yield _confused_pairs(metrics["confused"][:MOST_PAIRS])


def _by_element(elements: Mapping[str, Told], name: str) -> dict[str, float]:
    """A score of each element that has it, as per cent."""
    told = {symbol: scores.get(name) for symbol, scores in elements.items()}
    return {symbol: 100 * value for symbol, value in told.items() if value is not None}


def _error_by_fraction(bins: Sequence[Told], absent: Told) -> Panel:
    from matplotlib.ticker import LogLocator, NullFormatter

    at = [100 * place["mean"] for place in bins]

    def draw(figure: Figure) -> None:
        absolute, relative = figure.subplots(1, 2, width_ratios=[3, 2])
        absolute.axhline(0, color=SOFT, linewidth=0.8)
        _draw_errors(absolute, at, bins, "rmse", "^-", INK, "root mean square error")
        _draw_errors(absolute, at, bins, "mae", "o-", BLUE, "mean absolute error")
        _draw_errors(absolute, at, bins, "bias", "s--", AMBER, "bias (predicted − true)")
        absolute.set_ylabel("Error (at.%)")
        absolute.legend()
        _draw_errors(relative, at, bins, "relative", "o-", BLUE, "")
        relative.set_ylabel("Mean absolute error (% of the true)")
        if min(place["relative"] for place in bins) > 0:
            relative.set_yscale("log")
            relative.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            relative.yaxis.set_minor_formatter(NullFormatter())
        relative.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        for axes in (absolute, relative):
            axes.set_xscale("log")
            shown = [tick for tick in _TICKS_AT_PERCENT if at[0] <= 1.5 * tick and tick <= 1.5 * at[-1]]
            axes.set_xticks(shown, [f"{tick:g}" for tick in shown])
            axes.tick_params(axis="x", which="minor", bottom=False)
            axes.set_xlabel("True fraction (at.%)")

    nothing = f" An element that is not there is told {100 * absent['mae']:.3f} at.%." if absent["count"] else ""
    return Panel(
        "Error against the true fraction",
        f"Means over all elements of the held-out samples whose true fractions lie in one of {len(bins)} intervals; "
        f"pure samples stand by themselves on the right.{nothing}",
        draw_svg(draw, width_in=8.6, height_in=3.8),
    )


def _draw_errors(
    axes: Axes, at: Sequence[float], bins: Sequence[Told], name: str, line: str, colour: str, label: str
) -> None:
    values = [100 * place[name] for place in bins]
    axes.plot(at, values, line, color=colour, linewidth=1.3, markersize=4, label=label)


def _error_by_element(errors: Mapping[str, float]) -> Panel:
    worst = sorted(errors, key=lambda symbol: -errors[symbol])[:_NAMED]
    told = ", ".join(f"{symbol} {errors[symbol]:.2f}" for symbol in worst)
    return Panel(
        "Error by element",
        f"Mean absolute error in held-out samples that contain the element; largest: {told} at.%.",
        draw_periodic_table(errors, unit="at.%", label="Mean absolute error"),
    )


def _detection_by_element(f1: Mapping[str, float]) -> Panel:
    worst = sorted(f1, key=lambda symbol: f1[symbol])[:_NAMED]
    told = ", ".join(f"{symbol} {f1[symbol]:.1f}" for symbol in worst)
    lowest = _F1_STEP * (min(f1.values()) // _F1_STEP)
    return Panel(
        "Detection by element",
        "F1, the harmonic mean of precision and recall, of being told with 1 at.% or more where that much is in the "
        f"sample; lowest: {told} %.",
        draw_periodic_table(f1, unit="%", label="F1 at 1 at.%", lowest=lowest if lowest < max(f1.values()) else 0.0),
    )


def _confused_pairs(pairs: Sequence[Told]) -> Panel:
    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        shares = [100 * pair["share"] for pair in pairs]
        axes.barh(range(len(pairs)), shares, height=0.66, color=BLUE)
        for row, (pair, share) in enumerate(zip(pairs, shares, strict=True)):
            axes.annotate(
                _describe_pair(pair),
                (share, row),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=8.5,
                color=SOFT,
            )
        axes.set_yticks(range(len(pairs)), [f"{pair['missed']} → {pair['named']}" for pair in pairs])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(pairs) - 0.4, -0.6)
        axes.set_xlim(0, 2.1 * max(shares))
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("Share of all that is misplaced (%)")

    strongest = pairs[0]
    return Panel(
        "Most confused elements",
        f"{strongest['missed']} → {strongest['named']}: what the answers lack of {strongest['missed']} and have too "
        f"much of {strongest['named']}. What a sample's answer misplaces is shared out in proportion, since a spectrum "
        "does not tell which went where. Swapped: the one is overlooked (below 1 at.%), the other named without being "
        "there.",
        draw_svg(draw, width_in=8.6, height_in=0.9 + _PAIR_IN * len(pairs)),
    )


def _describe_pair(pair: Told) -> str:
    moved = "" if pair["at_percent_per_sample"] is None else f"{pair['at_percent_per_sample']:.2g} at.% per sample, "
    return f"{moved}swapped in {pair['swapped']} of {pair['samples']}, {pair['times_chance']:.1f} × chance"
