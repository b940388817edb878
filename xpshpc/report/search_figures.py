"""The figures of a search: its trials as lines over their parameters, their learning curves, what they cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from xpshpc.drawing import AMBER, BLUE, DENSITY, FAINT, INK, SOFT, draw_svg
from xpshpc.report.labels import is_share, write_label
from xpshpc.report.parameters import VariedParameter
from xpshpc.report.quantities import write_percent, write_value
from xpshpc.report.search_story import SearchStory, TrialStory
from xpshpc.search.metric import Metric
from xpshpc.search.state import State

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_AXES = 12

_CATEGORY_WIDTH = 0.035
"""Lines through one value stand so far to either side of it: they stay apart, and the best are on top."""
_LOGARITHMIC_FROM = 5.0
_LONGEST_TICK = 14
_COLOURS = {
    State.FINISHED: BLUE,
    State.STOPPED: "#9cc4e4",
    State.PAUSED: "#c9b458",
    State.RUNNING: "#c9b458",
    State.PENDING: "#c9b458",
    State.FAILED: "#b3261e",
}
_WORDS = {
    State.FINISHED: "finished",
    State.STOPPED: "stopped early",
    State.FAILED: "failed",
    State.PENDING: "not at its end",
}


def draw_parallel(story: SearchStory) -> str:
    """Each trial as a line over the parameters that vary and, last, the metric, as an `<svg>` element.

    The better, the darker; the best is amber, unfinished trials are dotted. The first twelve parameters are drawn.
    """
    varied = story.varied[:MOST_AXES]
    ranked = _worst_first(story)
    values = [trial.value for trial in ranked if trial.value is not None]
    scale = _MetricScale(story.metric, values)

    def draw(figure: Figure) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        colours = LinearSegmentedColormap.from_list("merit", DENSITY)
        axes = figure.add_subplot()
        last = len(varied)
        for rank, trial in enumerate(ranked):
            merit = rank / max(1, len(ranked) - 1)
            heights = [_height(parameter, trial, merit) for parameter in varied] + [scale.place(trial.value)]
            is_best = rank == len(ranked) - 1
            axes.plot(
                range(last + 1),
                heights,
                color=AMBER if is_best else colours(merit),
                linewidth=2.2 if is_best else 1.0,
                alpha=1.0 if is_best else 0.75,
                linestyle="-" if trial.finished else ":",
                zorder=2 + merit,
            )
        ticks = [parameter.ticks() for parameter in varied] + [scale.ticks()]
        for place, marks in enumerate(ticks):
            axes.plot([place, place], [0, 1], color=SOFT, linewidth=0.9, zorder=4)
            for height, text in marks:
                axes.plot([place - 0.012, place + 0.012], [height, height], color=SOFT, linewidth=0.9, zorder=4)
                _write_tick(axes, place, height, text)
        titles = [parameter.title for parameter in varied] + [write_label(story.metric.name)]
        axes.set_xticks(range(last + 1), titles, fontsize=9, color=INK)
        axes.set_yticks([])
        axes.tick_params(length=0)
        axes.set_xlim(-0.25, last + 0.25)
        axes.set_ylim(-0.05, 1.05)
        axes.grid(visible=False)
        axes.spines[["left", "bottom"]].set_visible(False)

    return draw_svg(draw, width_in=max(9.6, 1.5 * (len(varied) + 1)), height_in=4.2)


def draw_curves(story: SearchStory) -> str:
    """The metric on the validation shards after each epoch, one curve a trial, the best in amber."""
    metric = story.metric
    finished = story.finished
    best = finished[0].id if finished else ""
    told = [trial for trial in story.trials if any(map(math.isfinite, trial.curve))]
    every = [value for trial in told for value in trial.curve if math.isfinite(value)]

    def draw(figure: Figure) -> None:
        from matplotlib.ticker import MaxNLocator

        axes = figure.add_subplot()
        drawn: set[str] = set()
        for trial in sorted(told, key=lambda trial: trial.id == best):
            is_best = trial.id == best
            word = "best" if is_best else _word(trial.state)
            epochs = range(1, len(trial.curve) + 1)
            colour = AMBER if is_best else _COLOURS[trial.state]
            axes.plot(
                epochs,
                trial.curve,
                color=colour,
                linewidth=2.2 if is_best else 1.0,
                alpha=1.0 if is_best or len(told) < 30 else 0.6,
                label=word if word not in drawn else None,
            )
            drawn.add(word)
            if trial.state is not State.FINISHED:
                axes.plot(epochs[-1:], trial.curve[-1:], "o", color=colour, markersize=2.6)
        if min(every) > 0 and max(every) / min(every) > _LOGARITHMIC_FROM and not is_share(metric.name):
            axes.set_yscale("log")
        axes.set_xlabel("Epoch")
        axes.set_ylabel(f"Validation: {write_label(metric.name)}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _put_legend_above(axes)

    return draw_svg(draw, width_in=8.6, height_in=4.0)


def draw_cost(story: SearchStory) -> str:
    """Core-hours of each trial, in the order in which they were begun, coloured by what became of it."""

    def draw(figure: Figure) -> None:
        from matplotlib.ticker import MaxNLocator

        axes = figure.add_subplot()
        for word, colour in {_word(state): _COLOURS[state] for state in State}.items():
            places = [number for number, trial in enumerate(story.trials, start=1) if _word(trial.state) == word]
            if places:
                hours = [story.trials[number - 1].core_hours for number in places]
                axes.bar(places, hours, width=0.8, color=colour, linewidth=0, label=word)
        axes.set_xlabel("Trial, in the order of their beginning")
        axes.set_ylabel("Core-hours")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(visible=False, axis="x")
        _put_legend_above(axes)

    return draw_svg(draw, width_in=8.6, height_in=2.8)


def draw_importance(weights: Sequence[tuple[str, float]]) -> str:
    """The importance of each parameter as a bar."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        titles = [title for title, _ in weights]
        shares = [share for _, share in weights]
        axes.barh(range(len(titles)), shares, height=0.62, color=BLUE)
        axes.set_yticks(range(len(titles)), titles)
        axes.set_ylim(len(titles) - 0.4, -0.6)
        axes.set_xlim(0, max(1e-3, *shares) * 1.15)
        for row, share in enumerate(shares):
            axes.text(share, row, f"  {write_percent(share, 0)}", va="center", fontsize=9, color=SOFT)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False)
        axes.axvline(0, color=FAINT, linewidth=0.8)

    return draw_svg(draw, width_in=8.6, height_in=0.7 + 0.36 * len(weights))


class _MetricScale:
    """The last axis: better is higher, logarithmic where values that are no shares lie far apart."""

    def __init__(self, metric: Metric, values: Sequence[float]) -> None:
        low, high = min(values), max(values)
        self._share = is_share(metric.name)
        self._log = not self._share and low > 0 and high / low > _LOGARITHMIC_FROM
        self._worst, self._best = (self._scaled(end) for end in ((low, high) if metric.largest else (high, low)))

    def place(self, value: float | None) -> float:
        if value is None or self._worst == self._best:
            return 0.5
        return (self._scaled(value) - self._worst) / (self._best - self._worst)

    def ticks(self) -> list[tuple[float, str]]:
        places = [0.5] if self._worst == self._best else [0.0, 0.25, 0.5, 0.75, 1.0]
        scaled = [self._worst + place * (self._best - self._worst) for place in places]
        numbers = [math.exp(number) if self._log else number for number in scaled]
        write = write_percent if self._share else write_value
        return [(place, write(number)) for place, number in zip(places, numbers, strict=True)]

    def _scaled(self, value: float) -> float:
        return math.log(value) if self._log else value


def _worst_first(story: SearchStory) -> list[TrialStory]:
    """The trials with a number, in the order in which they are drawn: those that did not finish, then the best last."""
    known = [trial for trial in story.trials if trial.value is not None]
    ordered = sorted(known, key=lambda trial: story.metric.order(trial.value or 0.0), reverse=True)
    return sorted(ordered, key=lambda trial: trial.finished)


def _height(parameter: VariedParameter, trial: TrialStory, merit: float) -> float:
    place = parameter.place(trial.values[parameter.key])
    return place if parameter.numeric else place + _CATEGORY_WIDTH * (2 * merit - 1)


def _put_legend_above(axes: Axes) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=5, fontsize=9, borderaxespad=0.2)


def _write_tick(axes: Axes, place: int, height: float, text: str) -> None:
    short = text if len(text) <= _LONGEST_TICK else f"{text[: _LONGEST_TICK - 1]}…"
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.6}
    axes.text(place + 0.025, height, short, fontsize=8, color=INK, va="center", zorder=5, bbox=box)


def _word(state: State) -> str:
    return _WORDS.get(state, _WORDS[State.PENDING])
