"""How far the stated uncertainty may be trusted, as a figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from xpshpc.domain import Panel
from xpshpc.drawing import AMBER, BLUE, DENSITY, SOFT, draw_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN_LEVEL = 0.9


def calibration_panels(metrics: Mapping[str, Any]) -> Iterator[Panel]:
    """Stated against measured coverage, and the width of the intervals; nothing where no uncertainty was stated."""
    tested = metrics.get("calibration")
    if not tested or not any(tested["n"]["by_range"]):
        return
    levels: Sequence[float] = tested["levels"]
    shown = min(range(len(levels)), key=lambda place: abs(levels[place] - SHOWN_LEVEL))

    def draw(figure: Figure) -> None:
        coverage, width = figure.subplots(1, 2, width_ratios=[1, 1.15])
        _draw_coverage(coverage, tested)
        _draw_widths(width, tested, shown)

    measured = tested["coverage"]["named"][shown]
    told = "" if measured is None else f" measured {100 * measured:.1f} % for {100 * levels[shown]:g} % stated."
    yield Panel(
        "Stated uncertainty",
        "How often the truth of held-out samples lies in the stated interval, and how wide that is. Answers of "
        f"0.1 at.% and more:{told or ' none.'} Thin lines are ranges of the predicted fraction. On the dashed line the "
        "statements hold; above it they are too cautious.",
        draw_svg(draw, width_in=8.6, height_in=3.9),
    )


def _draw_coverage(axes: Axes, tested: Mapping[str, Any]) -> None:
    levels = [100 * level for level in tested["levels"]]
    for measured in tested["coverage"]["by_range"]:
        axes.plot(levels, _percent(measured), color=DENSITY[1], linewidth=0.9)
    axes.plot(levels, levels, color=SOFT, linewidth=0.9, linestyle=(0, (5, 4)))
    for name, label, line, colour in (
        ("present", "elements that are there", "s-", AMBER),
        ("named", "answers ≥ 0.1 at.%", "o-", BLUE),
    ):
        axes.plot(levels, _percent(tested["coverage"][name]), line, color=colour, markersize=4, label=label)
    axes.set_xticks(levels, [f"{level:g}" for level in levels])
    axes.set_xlabel("Stated coverage (%)")
    axes.set_ylabel("Measured coverage (%)")
    axes.legend(loc="upper left", fontsize=9)


def _draw_widths(axes: Axes, tested: Mapping[str, Any], level: int) -> None:
    ranges = [f"{100 * low:g}–{100 * high:g}" for low, high in tested["ranges"]]
    widths = [100 * (told[level] or 0.0) for told in tested["mean_half_width"]]
    axes.bar(range(len(ranges)), widths, width=0.66, color=BLUE)
    for place, (width, count) in enumerate(zip(widths, tested["n"]["by_range"], strict=True)):
        axes.text(place, width, f"{width:.2g}" if count else "none", ha="center", va="bottom", fontsize=8.5, color=SOFT)
    axes.set_xticks(range(len(ranges)), ranges, fontsize=8.5)
    axes.grid(visible=False, axis="x")
    axes.margins(y=0.12)
    axes.set_xlabel("Predicted fraction (at.%)")
    axes.set_ylabel(f"Mean ± at {100 * tested['levels'][level]:g} % (at.%)")


def _percent(shares: Sequence[float | None]) -> list[float]:
    return [float("nan") if share is None else 100 * share for share in shares]
