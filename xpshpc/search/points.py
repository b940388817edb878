"""Points that the job alone tells, one after another: those spelt out, then a grid's or those drawn at random."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from xpshpc.config import JobFile, Search
from xpshpc.errors import UsageError
from xpshpc.search.space import check_key
from xpshpc.search.strategy import Told
from xpshpc.search.trial import Source, Trial, describe_parameters, make_trial


@dataclass(frozen=True)
class ListedPoints:
    """Points in a fixed order; `examples` are all of them and more."""

    firsts: tuple[Trial, ...]
    examples: tuple[Trial, ...]

    @property
    def most_points(self) -> int:
        return len(self.firsts)

    def belongs(self, trial: Trial) -> bool:
        return trial.id in self._ids

    def next_first(self, told: Told) -> Trial | None:
        return next((trial for trial in self.firsts if trial.id not in told.ids), None)

    @cached_property
    def _ids(self) -> frozenset[str]:
        return frozenset(trial.id for trial in self.firsts)


def spell_out(job_file: JobFile, search: Search) -> tuple[Trial, ...]:
    """The first trainings of [[search.points]].

    Raises UsageError, naming the point, for a key that would change more than the training, values that the job does
    not take, and two points that are the same training.
    """
    trials: dict[str, Trial] = {}
    for point in search.points:
        for dotted in point.parameters:
            check_key(dotted, job_file.domain.section, f"search.points, {point.name}")
        trial = make_trial(job_file, point.parameters, 0, name=point.name, source="point")
        twin = trials.setdefault(trial.id, trial)
        if twin is not trial:
            raise UsageError(
                f"two points are the same training: {twin.name} and {point.name}",
                where="search.points",
                try_="leave one of them out, or more repeats of the other",
            )
    return tuple(trials.values())


def add_points(
    job_file: JobFile,
    known: Sequence[Trial],
    points: Iterable[Mapping[str, Any]],
    source: Source,
    most: int | None = None,
) -> tuple[Trial, ...]:
    """The known trials and the first trainings of more points, `most` of them; a known one keeps its place and name.

    Raises UsageError for values that the job does not take, and for two of the points that are the same training.
    """
    trials = {trial.id: trial for trial in known}
    for parameters in points:
        if most is not None and len(trials) - len(known) >= most:
            break
        trial = make_trial(job_file, parameters, 0, source=source)
        twin = trials.setdefault(trial.id, trial)
        if twin is not trial and twin.source == source:
            raise UsageError(
                f"two points are the same training: {describe_parameters(twin.parameters)}; and "
                f"{describe_parameters(parameters)}",
                where="search.parameters",
                try_="leave out values that stand twice, and keys that do not change the network",
            )
    return tuple(trials.values())
