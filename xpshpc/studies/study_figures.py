"""The figure of a study that is drawn, not photographed: distance against threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from xpshpc.drawing import AMBER, BLUE, SOFT, draw_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_thresholds(curve: Sequence[Mapping[str, Any]], best: int, baseline: float | None) -> str:
    """The Fréchet distance at each threshold, the chosen one marked, and the split-half baseline, as an `<svg>`."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        thresholds = [point["threshold"] for point in curve]
        distances = [point["fid"] for point in curve]
        axes.plot(thresholds, distances, "o-", color=BLUE, linewidth=1.4, markersize=4)
        chosen = thresholds.index(best)
        axes.plot([best], [distances[chosen]], "o", color=AMBER, markersize=8, label=f"chosen: {best}")
        if baseline is not None:
            axes.axhline(baseline, color=SOFT, linewidth=1.0, linestyle="--", label="two halves of the real maps")
        axes.set_xlabel("Gray level from which on a die fails")
        axes.set_ylabel("Fréchet distance to held-out real maps")
        axes.set_ylim(bottom=0)
        axes.legend()

    return draw_svg(draw, width_in=8.6, height_in=3.6)
