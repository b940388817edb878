"""The strategy that a job's [search] asks for: where its points come from, and how far each is trained."""

from __future__ import annotations

from xpshpc.config import JobFile, Search
from xpshpc.errors import UsageError
from xpshpc.search.grid import grid_points
from xpshpc.search.halving import SuccessiveHalving, choose_rungs
from xpshpc.search.metric import Metric, choose_metric
from xpshpc.search.points import ListedPoints, add_points, spell_out
from xpshpc.search.random_draws import draw_points
from xpshpc.search.space import WHERE, Space, read_space, try_values
from xpshpc.search.straight import Straight
from xpshpc.search.strategy import Points, Strategy
from xpshpc.search.tpe import TpePoints
from xpshpc.search.trial import Trial

MOST_TRIALS = 10_000


def lay_out_search(job_file: JobFile, search: Search) -> Strategy:
    """The strategy of a [search] section.

    Raises UsageError for a key that would change more than the training, values that the job does not take, points that
    are the same training, too many trials, and trials that successive halving cannot compare.
    """
    space, metric = read_space(search), choose_metric(search)
    rungs = choose_rungs(job_file, search)
    spelt_out = spell_out(job_file, search)
    _check_number(search, space, len(spelt_out))
    tried = try_values(job_file, space)
    points = _choose_points(job_file, search, space, metric, spelt_out, tried)
    if search.halving is None:
        return Straight(job_file, points, search.repeats)
    return SuccessiveHalving(job_file, points, search.repeats, rungs, search.halving.factor, metric)


def _choose_points(
    job_file: JobFile,
    search: Search,
    space: Space,
    metric: Metric,
    spelt_out: tuple[Trial, ...],
    tried: tuple[Trial, ...],
) -> Points:
    if search.strategy == "tpe":
        return TpePoints(job_file, spelt_out, space, tried, search.draws or 0, metric)
    if search.strategy == "random":
        drawn = draw_points(space, job_file.job.training_seed)
        firsts = add_points(job_file, spelt_out, drawn, "random", search.draws)
    else:
        firsts = add_points(job_file, spelt_out, grid_points(space), "grid")
    return ListedPoints(firsts, (*firsts, *tried))


def _check_number(search: Search, space: Space, spelt_out: int) -> None:
    new = (search.draws or 0) if search.strategy != "grid" else (space.size or 0) if space.axes else 0
    points = spelt_out + new
    if points * search.repeats > MOST_TRIALS:
        raise UsageError(
            f"{points} points with {search.repeats} training(s) each are more than {MOST_TRIALS} trials",
            where=WHERE,
            try_="fewer values",
        )
