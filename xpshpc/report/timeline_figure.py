"""The figure of a timeline: a lane for each worker, what befell it, and the throughput below."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xpshpc.drawing import BLUE, FAINT, INK, SOFT, draw_svg
from xpshpc.report.quantities import write_duration
from xpshpc.report.timeline import COORDINATOR, WORKER_LOST, Timeline, find_throughput, merge_bars

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_LANES = 60
_PIXELS = 800
_BINS = 160
_LANE_IN = 0.15
_LEAST_LANES_IN = 1.3
_SMALLEST_PAUSE_S = 1.0
_CALM = "#9cc4e4"

CAUSE_COLOURS = {
    "worker_lost": "#b3261e",
    "silent": "#c46a00",
    "crash": "#7a3e9d",
    "bad_output": "#2e7d5b",
    "disk_full": "#5f5246",
    "stopped": "#8a94a0",
}
_OTHER = "#d36ba6"
_SHAPES = {
    "workers asked for": ("^", "#2e7d5b"),
    "worker left": ("4", SOFT),
    "worker job failed": ("v", "#b3261e"),
    "node left out": ("D", "#b3261e"),
    WORKER_LOST: ("x", "#b3261e"),
    "silent worker killed": ("X", "#c46a00"),
    "disk full": ("s", "#5f5246"),
    "asked to stop": ("P", INK),
    "bad shard taken back": ("<", "#7a3e9d"),
    "quarantine tried again": (">", "#2e7d5b"),
}
_NUMBER = re.compile(r"(\d+)")
_ABOVE = -1.0
"""Where marks stand that are no worker's, in lanes."""


def draw_timeline(timeline: Timeline) -> str:
    """Workers' attempts against the time at work, marks for what went wrong, and samples/s, as an `<svg>` element.

    The busiest 60 workers are drawn. What is closer together than the figure can show is one bar, so that the picture
    stays small whatever the number of shards.
    """
    shown = choose_lanes(timeline)
    scale, unit = _choose_unit(timeline.length_s)
    lanes_in = max(_LEAST_LANES_IN, _LANE_IN * (len(shown) + 2))

    def draw(figure: Figure) -> None:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[lanes_in, 1.5])
        _draw_lanes(above, timeline, shown, scale)
        _draw_marks(above, timeline, shown, scale)
        _draw_sessions(above, timeline, scale)
        _draw_throughput(below, timeline, scale)
        below.set_xlabel(f"Time at work ({unit})")
        below.set_xlim(0, max(timeline.length_s, 1e-3) / scale)
        handles, labels = above.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=4, fontsize=8.5, handlelength=1.4)

    return draw_svg(draw, width_in=9.6, height_in=lanes_in + 2.9)


def choose_lanes(timeline: Timeline) -> list[int]:
    """The lanes that are drawn: the busiest 60, in the order of their names."""
    busiest = np.argsort(-timeline.busy_s, kind="stable")[:MOST_LANES]
    return sorted((int(lane) for lane in busiest), key=lambda lane: _by_number(timeline.lanes[lane]))


def describe_lanes(timeline: Timeline) -> str:
    """What the reader must know to read the figure."""
    hidden = len(timeline.lanes) - MOST_LANES
    which = f"the busiest {MOST_LANES} of {len(timeline.lanes)} workers" if hidden > 0 else "each worker"
    return (
        f"A lane for {which} (host and process): bars are the times in which it made shards, coloured by what came "
        "of them. Marks above the lanes are those of the run itself and of workers that are not drawn. Pauses between "
        "two coordinators are cut out; a dashed line stands where the next one began."
    )


def _draw_lanes(axes: Axes, timeline: Timeline, shown: list[int], scale: float) -> None:
    gap_s = timeline.length_s / _PIXELS
    order = np.argsort(timeline.lane, kind="stable")
    bounds = np.searchsorted(timeline.lane[order], np.arange(len(timeline.lanes) + 1))
    for number, name in enumerate(timeline.outcomes):
        colour = _CALM if number == 0 else CAUSE_COLOURS.get(name, _OTHER)
        label: str | None = f"shard {name}" if number == 0 else f"failed: {name.replace('_', ' ')}"
        for row, lane in enumerate(shown):
            mine = order[bounds[lane] : bounds[lane + 1]]
            mine = mine[timeline.outcome[mine] == number]
            if not len(mine):
                continue
            bars = merge_bars(timeline.begin[mine], timeline.end[mine], gap_s)
            places = [(start / scale, (stop - start) / scale) for start, stop in bars]
            axes.broken_barh(places, (row - 0.36, 0.72), facecolors=colour, linewidth=0, label=label)
            label = None
    axes.set_ylim(len(shown) - 0.4, _ABOVE - 0.9)
    axes.set_yticks(range(len(shown)), [timeline.lanes[lane] for lane in shown], fontsize=7)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.axhline(_ABOVE + 0.5, color=FAINT, linewidth=0.8)


def _draw_marks(axes: Axes, timeline: Timeline, shown: list[int], scale: float) -> None:
    rows = {lane: row for row, lane in enumerate(shown)}
    for kind, (shape, colour) in _SHAPES.items():
        points = [
            (mark.at / scale, rows.get(mark.lane, _ABOVE) if mark.lane is not None else _ABOVE)
            for mark in timeline.marks
            if mark.kind == kind
        ]
        if points:
            x, y = zip(*points, strict=True)
            times = timeline.counts[kind]
            axes.scatter(
                x,
                y,
                marker=shape,
                s=26,
                color=colour,
                linewidths=1.4,
                zorder=3,
                label=f"{kind} ({times}×)",
                clip_on=False,
            )


def _draw_sessions(axes: Axes, timeline: Timeline, scale: float) -> None:
    for session in timeline.sessions[1:]:
        axes.axvline(session.at / scale, color=INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=2)
        if session.pause_s >= _SMALLEST_PAUSE_S and len(timeline.sessions) <= 12:
            axes.text(
                session.at / scale,
                _ABOVE - 0.95,
                f" after {write_duration(session.pause_s)}",
                fontsize=7,
                color=SOFT,
                va="bottom",
            )
    if len(timeline.sessions) > 1:
        axes.plot(
            [], [], color=INK, linewidth=0.9, linestyle=(0, (4, 3)), label=f"{COORDINATOR} ({len(timeline.sessions)}×)"
        )


def _draw_throughput(axes: Axes, timeline: Timeline, scale: float) -> None:
    edges, rate = find_throughput(timeline, _BINS)
    x: NDArray[np.float64] = edges / scale
    axes.stairs(rate, x, fill=True, color=_CALM, alpha=0.6)
    axes.stairs(rate, x, color=BLUE, linewidth=1.1, baseline=None)
    for session in timeline.sessions[1:]:
        axes.axvline(session.at / scale, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.set_ylim(bottom=0)
    axes.set_ylabel("Samples/s")


def _by_number(name: str) -> list[tuple[int, str]]:
    """Orders node2 before node10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _NUMBER.split(name)]


def _choose_unit(length_s: float) -> tuple[float, str]:
    """Seconds in a unit of the axis, and its name."""
    if length_s < 300:
        return 1.0, "s"
    return (60.0, "min") if length_s < 3 * 3600 else (3600.0, "h")
