"""Tree-structured Parzen estimators (Bergstra et al. 2011, "Algorithms for hyper-parameter optimization") by Optuna.

Optuna's study is made anew from what is told for every suggestion and forgotten: nothing is stored, and what was told
and a seed decide what is suggested.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from xpshpc.config import Span
from xpshpc.search.metric import Metric
from xpshpc.search.space import Axis, Space
from xpshpc.search.state import State
from xpshpc.search.strategy import TrialView

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

_ENDED_EARLY = (State.PAUSED, State.STOPPED)


def is_known(view: TrialView) -> bool:
    """Whether a trial has come to something that can be compared: a finite value, at its end or where it paused."""
    if view.state is State.FINISHED:
        return view.value is not None and math.isfinite(view.value)
    return view.state in _ENDED_EARLY and any(map(math.isfinite, view.curve))


def suggest_point(space: Space, views: Sequence[TrialView], metric: Metric, seed: int) -> dict[str, Any]:
    """The point of the space that is most promising by these trials; all of them must be points of the space.

    Trials that go on count as poor ones (constant liar), so that several at a time are not the same; those that ended
    early count with the epochs that they came to.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=1, constant_liar=True),
        direction="maximize" if metric.largest else "minimize",
    )
    distributions = {axis.key: _distribution(axis) for axis in space.axes}
    study.add_trials([_frozen(space, view, metric, distributions) for view in views])
    asked = study.ask(distributions).params
    return {axis.key: _value(axis, asked[axis.key]) for axis in space.axes}


def _frozen(space: Space, view: TrialView, metric: Metric, distributions: dict[str, BaseDistribution]) -> FrozenTrial:
    from optuna.trial import TrialState, create_trial

    value: float | None = None
    reached: dict[int, float] = {}
    if view.state is State.FINISHED and is_known(view):
        state, value = TrialState.COMPLETE, view.value
    elif view.state in (State.FINISHED, State.FAILED):
        state = TrialState.FAIL
    elif view.state in _ENDED_EARLY:
        finite = [known for known in view.curve if math.isfinite(known)]
        reached = {view.epochs_done: min(finite, key=metric.order, default=math.nan)}
        state = TrialState.PRUNED
    else:
        state = TrialState.RUNNING
    return create_trial(
        state=state,
        value=value,
        params={axis.key: _number(axis, view.trial.parameters[axis.key]) for axis in space.axes},
        distributions=distributions,
        intermediate_values=reached,
    )


def _distribution(axis: Axis) -> BaseDistribution:
    """Counted axes by their places, so that any value may be listed; rising numbers and spans keep their order."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    values, places = axis.values, axis.size
    if places is None:
        assert isinstance(values, Span)
        return FloatDistribution(values.low, values.high, log=values.log)
    if isinstance(values, Span) and values.log:
        return IntDistribution(round(values.low), round(values.high), log=True)
    if isinstance(values, Span) or _rises(values):
        return IntDistribution(0, places - 1)
    return CategoricalDistribution(range(places))


def _by_number(axis: Axis) -> bool:
    """Whether Optuna has an axis by its numbers: its places would be none, or not even in the logarithm."""
    return isinstance(axis.values, Span) and (axis.size is None or axis.values.log)


def _rises(values: Sequence[Any]) -> bool:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return numbers and all(one < other for one, other in pairwise(values))


def _number(axis: Axis, value: Any) -> Any:
    """A parameter's value as Optuna has it."""
    return value if _by_number(axis) else axis.place(value)


def _value(axis: Axis, number: Any) -> Any:
    """The value that Optuna means by a number."""
    return axis.tidy(number) if _by_number(axis) else axis.at(number)
