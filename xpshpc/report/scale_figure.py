"""What more of one thing buys: the metric of a search against the one number by which its points differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from xpshpc.drawing import AMBER, BLUE, draw_svg
from xpshpc.report.labels import is_share, split_unit
from xpshpc.report.parameters import VariedParameter
from xpshpc.report.quantities import write_count, write_value
from xpshpc.report.search_story import SearchStory, TrialStory
from xpshpc.search.metric import Metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEWEST_FITTED = 3


@dataclass(frozen=True)
class ScaleSeries:
    """A score at each value of the parameter: every training's, by rising value."""

    name: str
    values: tuple[float, ...]
    scores: tuple[tuple[float, ...], ...]

    @property
    def means(self) -> list[float]:
        return [fmean(each) for each in self.scores]


@dataclass(frozen=True)
class Scale:
    """Series over the parameter `title`. `score` names what is drawn: an error falls, whatever the metric was."""

    title: str
    score: str
    validation: ScaleSeries
    held_out: ScaleSeries | None

    @property
    def logarithmic(self) -> bool:
        """Whether both axes can be: everything is above 0."""
        told = [self.validation, *([] if self.held_out is None else [self.held_out])]
        numbers = [number for series in told for each in series.scores for number in each]
        return min(numbers) > 0 and self.validation.values[0] > 0

    @property
    def exponent(self) -> float | None:
        """k of score ∝ valueᵏ, by least squares over the logarithms of the means; None with fewer than three points."""
        series = self.held_out or self.validation
        if not self.logarithmic or len(series.values) < FEWEST_FITTED:
            return None
        x, y = ([math.log(number) for number in numbers] for numbers in (series.values, series.means))
        middle, level = fmean(x), fmean(y)
        products = ((a - middle) * (b - level) for a, b in zip(x, y, strict=True))
        return sum(products) / sum((a - middle) ** 2 for a in x)


def find_scale(story: SearchStory) -> Scale | None:
    """The scale of a search whose points differ by one number alone, or by others that go along with it.

    None for any other, for drawn points, and before two points are finished.
    """
    if story.drawn or not story.varied or not all(parameter.numeric for parameter in story.varied):
        return None
    first, *others = story.varied
    known = story.finished
    if not all(_goes_along(known, first, other) for other in others):
        return None
    validation = _gather(known, first, "validation", _error_of(story.metric, lambda trial: trial.value))
    if validation is None:
        return None
    held_out = _gather(known, first, "held out", _error_of(story.metric, lambda trial: trial.held_out))
    metric = story.metric.name
    name = f"1 − {split_unit(metric)[0].lower()}" if _falls_short(story.metric) else split_unit(metric)[0]
    unit = split_unit(metric)[1]
    return Scale(first.title, f"{name} ({unit})" if unit else name, validation, held_out)


def draw_scale(scale: Scale) -> str:
    """The scores against the parameter, a point a training and a line through their means, as an `<svg>` element."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        _draw_series(axes, scale.validation, BLUE, "o")
        if scale.held_out is not None:
            _draw_series(axes, scale.held_out, AMBER, "s")
        if scale.logarithmic:
            _take_logarithms(axes, scale.validation.values)
        axes.set_xlabel(scale.title)
        axes.set_ylabel(scale.score)
        axes.legend()

    return draw_svg(draw, width_in=8.6, height_in=3.8)


def _take_logarithms(axes: Axes, values: Sequence[float]) -> None:
    """Logarithmic axes with plain numbers: below, the values that were tried."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(values, [write_count(value) if value % 1 == 0 else write_value(value, 2) for value in values])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: write_value(value, 2)))
    axes.yaxis.set_minor_locator(NullLocator())


def _draw_series(axes: Axes, series: ScaleSeries, colour: str, shape: str) -> None:
    spreads = [stdev(each) if len(each) > 1 else 0.0 for each in series.scores]
    axes.errorbar(
        series.values,
        series.means,
        yerr=spreads if any(spreads) else None,
        fmt="-",
        color=colour,
        linewidth=1.4,
        capsize=3,
        label=series.name,
    )
    for value, each in zip(series.values, series.scores, strict=True):
        axes.plot([value] * len(each), each, shape, color=colour, markersize=4, alpha=0.8)


def _gather(
    trials: Sequence[TrialStory], parameter: VariedParameter, name: str, score: Callable[[TrialStory], float | None]
) -> ScaleSeries | None:
    found: dict[float, list[float]] = {}
    for trial in trials:
        told = score(trial)
        if told is not None:
            found.setdefault(float(trial.values[parameter.key]), []).append(told)
    if len(found) < 2:
        return None
    ordered = sorted(found.items())
    return ScaleSeries(name, tuple(value for value, _ in ordered), tuple(tuple(scores) for _, scores in ordered))


def _error_of(metric: Metric, read: Callable[[TrialStory], float | None]) -> Callable[[TrialStory], float | None]:
    def error(trial: TrialStory) -> float | None:
        told = read(trial)
        return 1.0 - told if told is not None and _falls_short(metric) else told

    return error


def _falls_short(metric: Metric) -> bool:
    """Whether what is missing to 1 tells more than the metric itself."""
    return metric.largest and is_share(metric.name)


def _goes_along(trials: Sequence[TrialStory], one: VariedParameter, other: VariedParameter) -> bool:
    """Whether another parameter is decided by this one and only rises, or only falls, with it."""
    pairs = sorted({(float(trial.values[one.key]), float(trial.values[other.key])) for trial in trials})
    decided = len({value for value, _ in pairs}) == len(pairs)
    follows = [value for _, value in pairs]
    return decided and (follows == sorted(follows) or follows == sorted(follows, reverse=True))
