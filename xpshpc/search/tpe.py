"""Points suggested from what others came to, and drawn at random as long as too little is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from typing import Any

import numpy as np

from xpshpc.config import JobFile
from xpshpc.errors import UsageError
from xpshpc.plan.identity import hash_json
from xpshpc.search.metric import Metric
from xpshpc.search.parzen import is_known, suggest_point
from xpshpc.search.points import add_points
from xpshpc.search.random_draws import draw_points
from xpshpc.search.space import Space
from xpshpc.search.strategy import Told, TrialView
from xpshpc.search.trial import Trial, make_trial

STARTUP = 10
"""Points that must have come to something before others are suggested from them."""

_TRIES = 5
_MOST_REFUSED = 1000


@dataclass(frozen=True)
class TpePoints:
    """Points spelt out, then `draws` of the space; `tried` are trials with every value that must be taken.

    A suggestion follows from the job's training seed, how many there were before, and what is told. One that is a known
    training, or that the job does not take, is asked for a few times more and then drawn at random.
    """

    job_file: JobFile
    spelt_out: tuple[Trial, ...]
    space: Space
    tried: tuple[Trial, ...]
    draws: int
    metric: Metric

    @property
    def firsts(self) -> tuple[Trial, ...]:
        return self.spelt_out

    @cached_property
    def examples(self) -> tuple[Trial, ...]:
        drawn = draw_points(self.space, self._seed)
        return (*add_points(self.job_file, self.spelt_out, drawn, "tpe", self.draws), *self.tried)

    @property
    def most_points(self) -> int:
        return len(self.spelt_out) + min(self.draws, self.space.size or self.draws)

    def belongs(self, trial: Trial) -> bool:
        return self.space.holds(trial.parameters) or any(trial.id == own.id for own in self.spelt_out)

    def next_first(self, told: Told) -> Trial | None:
        for trial in self.spelt_out:
            if trial.id not in told.ids:
                return trial
        firsts = [view for view in told.views if not view.trial.repeat]
        number = sum(view.trial.source == "tpe" for view in firsts)
        if number >= self.draws:
            return None
        inside = [view for view in firsts if self.space.holds(view.trial.parameters)]
        suggested = self._suggested(inside, number) if sum(map(is_known, inside)) >= STARTUP else ()
        candidates = map(self._taken, chain(suggested, self._drawn(firsts)))
        return next((trial for trial in candidates if trial is not None and trial.id not in told.ids), None)

    def _suggested(self, inside: Sequence[TrialView], number: int) -> Iterator[dict[str, Any]]:
        for attempt in range(_TRIES):
            seed = int(np.random.SeedSequence([self._seed, number, attempt]).generate_state(1)[0])
            yield suggest_point(self.space, inside, self.metric, seed)

    def _drawn(self, firsts: Sequence[TrialView]) -> Iterator[dict[str, Any]]:
        known = {view.trial.point for view in firsts}
        points = draw_points(self.space, self._seed)
        return islice((point for point in points if hash_json(point) not in known), _MOST_REFUSED)

    def _taken(self, parameters: Mapping[str, Any]) -> Trial | None:
        try:
            return make_trial(self.job_file, parameters, 0, source="tpe")
        except UsageError:
            return None

    @property
    def _seed(self) -> int:
        return self.job_file.job.training_seed
