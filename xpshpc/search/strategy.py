"""What a way of searching must offer; each way is a module of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from xpshpc.search.outcome import Outcome
from xpshpc.search.trial import Trial


class Strategy(Protocol):
    """Decides which trial comes next. It holds no state: what is known of the trials so far is told to it."""

    @property
    def trials(self) -> Sequence[Trial]:
        """The trials of the search that are known by now, in the order in which they are begun."""
        ...

    def next_trial(self, outcomes: Mapping[str, Outcome]) -> Trial | None:
        """The trial to begin, or to go on with; None where nothing is left. `outcomes` holds every known trial's."""
        ...
