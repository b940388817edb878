"""The part of the report that tells a search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xpshpc.domain import Panel
from xpshpc.report.embed import Figure, place_panels
from xpshpc.report.facts import Facts
from xpshpc.report.importance import FEWEST_PARAMETERS, FEWEST_TRIALS, good_share, weigh_parameters
from xpshpc.report.labels import write_label
from xpshpc.report.quantities import write_count, write_duration, write_percent, write_value
from xpshpc.report.scale_figure import Scale, draw_scale, find_scale
from xpshpc.report.search_figures import MOST_AXES, draw_cost, draw_curves, draw_importance, draw_parallel
from xpshpc.report.search_story import SearchStory
from xpshpc.report.search_tables import MOST_POINTS, list_sources, tabulate_failures, tabulate_points
from xpshpc.report.tables import Table
from xpshpc.search.state import State

ENDED = {
    "complete": "every trial is done",
    "enough_trials": "search.budget.trials is reached",
    "out_of_time": "no other trial would end before search.budget.until",
    "out_of_core_hours": "another trial would take more than search.budget.core_hours",
    "out_of_gpu_hours": "another trial would take more than search.budget.gpu_hours",
    "stopped": "stopped in good order; the same command goes on",
}
"""Why a search ended, in words."""

_OTHER_STATES = (State.RUNNING, State.PAUSED, State.STOPPED, State.FAILED, State.PENDING)
_FEWEST_LINES = 3


@dataclass(frozen=True)
class SearchPage:
    """What the template sets of a search. `board` is None before a trial has finished."""

    facts: Facts
    board: Table | None
    hidden_points: int
    sources: list[str]
    figures: list[Figure]
    failures: Table | None


def compose_search(story: SearchStory) -> SearchPage:
    """The page's part for a search: leaderboard, figures, failures."""
    answer = story.result.as_json()
    board = answer["leaderboard"]
    epochs = {trial: outcome.epochs for trial, outcome in story.result.outcomes.items()}
    return SearchPage(
        facts=_describe(story),
        board=tabulate_points(story.metric.name, board[:MOST_POINTS], epochs) if board else None,
        hidden_points=max(0, len(board) - MOST_POINTS),
        sources=list_sources(board),
        figures=place_panels(list(_draw(story)), "s"),
        failures=tabulate_failures(answer["failures"]) if answer["failures"] else None,
    )


def _describe(story: SearchStory) -> Facts:
    result = story.result
    whole = len(result.trials) + result.undecided
    states = [f"{write_count(result.count(state))} {state}" for state in _OTHER_STATES if result.count(state)]
    finished = f"{write_count(result.count(State.FINISHED))} of {write_count(whole)} finished"
    facts = [
        ("Compared by", f"{write_label(story.metric.name)} on the validation samples, the {story.metric.goal} is best"),
        ("Trials", ", ".join([finished, *states])),
    ]
    if result.ended in ENDED:
        facts.append(("Ended", ENDED[result.ended]))
    left = result.seconds_to_come
    if left and result.ended != "complete":
        facts.append(("Still to come", f"{write_duration(left)} at the mean of those finished"))
    hours = sum(trial.core_hours for trial in story.trials)
    facts.append(("Cost", f"{write_value(hours)} core-hours"))
    if result.leaderboard:
        best = result.leaderboard[0]
        facts.append(("Best network", f"{result.model} (trial {best.trials[0]})"))
    return facts


def _draw(story: SearchStory) -> Iterator[Panel]:
    scale = find_scale(story)
    if scale is not None:
        yield Panel(f"What {scale.title} buys", _describe_scale(scale), draw_scale(scale))
    known = sum(trial.value is not None for trial in story.trials)
    if scale is None and story.varied and known >= _FEWEST_LINES:
        yield Panel("Parallel coordinates", _describe_parallel(story), draw_parallel(story))
    weights = weigh_parameters(story)
    if weights:
        yield Panel("Importance of each parameter", _describe_importance(story), draw_importance(weights))
    if any(trial.value is not None for trial in story.trials):
        yield Panel("Learning curves", _describe_curves(story), draw_curves(story))
    if any(trial.core_hours for trial in story.trials):
        yield Panel("Cost of each trial", "All attempts of a trial together, failed ones included.", draw_cost(story))


def _describe_scale(scale: Scale) -> str:
    told = "A point is one training, the line joins their means; bars are standard deviations over repeated seeds."
    if scale.exponent is None:
        return told
    which = "held-out" if scale.held_out else "validation"
    fitted = f"{scale.exponent:.2f}".replace("-", "−")
    return f"{told} On {which} samples it goes as {scale.title} to the power of {fitted} (least squares)."


def _describe_parallel(story: SearchStory) -> str:
    hidden = len(story.varied) - MOST_AXES
    left_out = f" {hidden} more parameters vary and are not drawn." if hidden > 0 else ""
    metric = write_label(story.metric.name)
    return (
        f"A line for each trial: what it was given and, at the right, what it came to ({metric}, "
        f"the best at the top). The darker, the better; the best is amber; dotted ones did not finish.{left_out}"
    )


def _describe_importance(story: SearchStory) -> str:
    trials = len(story.finished)
    return (
        f"How much each parameter decided whether a trial was among the best {write_percent(good_share(trials), 0)} of "
        f"the {trials} finished ones: PED-ANOVA (Watanabe et al. 2023, arXiv:2304.10255), which compares the values of "
        f"all with those of the best. It is told from {FEWEST_TRIALS} trials and {FEWEST_PARAMETERS} parameters on; "
        f"with few trials it is a hint."
    )


def _describe_curves(story: SearchStory) -> str:
    stopped = story.result.count(State.STOPPED)
    early = f" {stopped} stopped early end with a dot." if stopped else ""
    return f"{write_label(story.metric.name)} on the validation samples after each epoch of every trial.{early}"
