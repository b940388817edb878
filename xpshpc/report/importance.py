"""How much each parameter of a search decided whether a trial was among the good ones.

PED-ANOVA (Watanabe, Bansal & Hutter 2023, "PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary
subspaces", arXiv:2304.10255), as Optuna computes it: the distributions of a parameter over all trials and over the
best ones are compared, and the divergences are scaled to a sum of 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from xpshpc.report.parameters import VariedParameter, find_varied
from xpshpc.report.search_story import SearchStory, TrialStory

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

FEWEST_TRIALS = 8
FEWEST_PARAMETERS = 2

_GOOD_SHARE = 0.1
_FEWEST_GOOD = 5
_LARGEST_SHARE = 0.5


def weigh_parameters(story: SearchStory) -> tuple[tuple[str, float], ...]:
    """The parameters by title with their importance, which sum to 1, the most important first.

    Empty with fewer than eight finished trials, or fewer than two parameters that vary over them: nothing can be told.
    """
    trials = story.finished
    varied = find_varied([trial.values for trial in trials])
    if len(trials) < FEWEST_TRIALS or len(varied) < FEWEST_PARAMETERS:
        return ()
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    from optuna.trial import create_trial

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize" if story.metric.largest else "minimize")
    distributions = {parameter.key: _distribution(parameter) for parameter in varied}
    study.add_trials(
        [
            create_trial(
                value=trial.value,
                params={parameter.key: _number(parameter, trial) for parameter in varied},
                distributions=distributions,
            )
            for trial in trials
        ]
    )
    found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(target_quantile=good_share(len(trials))))
    return tuple((parameter.title, found[parameter.key]) for parameter in _ordered(varied, found))


def good_share(trials: int) -> float:
    """The share of trials that count as good: a tenth, or as many as make five, at most half."""
    return min(_LARGEST_SHARE, max(_GOOD_SHARE, _FEWEST_GOOD / trials))


def _ordered(varied: Sequence[VariedParameter], found: dict[str, float]) -> list[VariedParameter]:
    return sorted(varied, key=lambda parameter: -found[parameter.key])


def _distribution(parameter: VariedParameter) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if not parameter.numeric:
        return CategoricalDistribution(range(len(parameter.values)))
    return FloatDistribution(float(parameter.values[0]), float(parameter.values[-1]), log=parameter.logarithmic)


def _number(parameter: VariedParameter, trial: TrialStory) -> Any:
    value = trial.values[parameter.key]
    return float(value) if parameter.numeric else parameter.values.index(value)
