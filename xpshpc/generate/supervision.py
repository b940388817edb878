"""What a coordinator holds while it works, and what it has brought in."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from xpshpc.events import EventLog, Listener
from xpshpc.generate.space import Pause
from xpshpc.generate.stop import StopSignals
from xpshpc.store.lease import Lease
from xpshpc.store.manifest import Tally

DRAIN_S = 5.0
"""Seconds that a shard which has begun may take to end once a stop is asked for, where no profile says otherwise."""


@dataclass(frozen=True)
class Supervision:
    """What a coordinator holds while it works: its lease, the log, requests to stop, and who wants to know."""

    lease: Lease
    log: EventLog
    stop: StopSignals
    on_event: Listener
    pause: Pause
    drain_s: float = DRAIN_S

    @property
    def session(self) -> str:
        """The name of this coordinator's part of staging; no other coordinator of the run has the same."""
        return f"{self.lease.generation:06d}"


@dataclass
class Harvest:
    """What stands: sums over the whole data set, over what this call made, and this call's failed attempts by cause."""

    total: Tally
    made: Tally = field(default_factory=Tally)
    failures: Counter[str] = field(default_factory=Counter)
    workers: int = 0
