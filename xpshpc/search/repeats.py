"""Points that are trained several times, each time with another training seed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from xpshpc.config import JobFile
from xpshpc.search.strategy import Points, Step, Told
from xpshpc.search.trial import Trial, make_trial


@dataclass(frozen=True)
class RepeatedPoints(ABC):
    """What all strategies have in common: points, each with `repeats` trainings on the run of `job_file`."""

    job_file: JobFile
    points: Points
    repeats: int

    @cached_property
    def trials(self) -> tuple[Trial, ...]:
        """Every point's first training before any point's second."""
        more = (
            again(self.job_file, first, repeat) for repeat in range(1, self.repeats) for first in self.points.firsts
        )
        return (*self.points.firsts, *more)

    @property
    def examples(self) -> tuple[Trial, ...]:
        return self.points.examples

    @property
    def most_trials(self) -> int:
        return self.points.most_points * self.repeats

    def belongs(self, trial: Trial) -> bool:
        first = trial if not trial.repeat else again(self.job_file, trial, 0)
        return trial.repeat < self.repeats and self.points.belongs(first)

    def next_repeat(self, told: Told, firsts: Iterable[Trial]) -> Trial | None:
        """The next training that these points lack, the second ones of all before any third."""
        there = {(view.trial.point, view.trial.repeat) for view in told.views}
        points = tuple(firsts)
        missing = (
            (first, repeat)
            for repeat in range(1, self.repeats)
            for first in points
            if (first.point, repeat) not in there
        )
        first, repeat = next(missing, (None, 0))
        return again(self.job_file, first, repeat) if first else None

    @abstractmethod
    def next_step(self, told: Told) -> Step | None:
        """As of the strategy."""


def again(job_file: JobFile, trial: Trial, repeat: int) -> Trial:
    """Another training of the same point."""
    return make_trial(job_file, trial.parameters, repeat, name=trial.name, source=trial.source)
