"""Several quick shards in one task: what passes between coordinator and worker is paid for once, not for each shard."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from xpshpc.cluster.workers.departure import Departure
from xpshpc.generate.shard_task import AttemptFailed, ShardTask, Workbench, make_shard
from xpshpc.store.record import Attempt

GROUP_S = 0.5
"""Seconds a group should take: long beside what handing it out costs, short beside a stop's grace."""

LONGEST_S = 2 * GROUP_S
"""Seconds after which a worker begins no other shard of its group: they are not as quick as was thought."""

LARGEST = 16


class GroupEnded(Exception):
    """A group came to an early end: the shards before `place` are committed, that one failed as `attempt` says, or had
    not begun (None), and those behind it had not begun."""

    def __init__(self, place: int, attempt: Attempt | None = None) -> None:
        super().__init__(place, attempt)
        self.place = place
        self.attempt = attempt


def group_size(shard_s: float | None, waiting: int, places: int) -> int:
    """How many shards to hand out as one task, at least one.

    `shard_s` is what a shard took lately in seconds (None: not known yet), `waiting` the number of shards that nobody
    has in hand, `places` that of tasks that may be handed out at once: the last shards are shared out evenly.
    """
    if shard_s is None:
        return 1
    quick = LARGEST if shard_s * LARGEST <= GROUP_S else int(GROUP_S / shard_s)
    return max(1, min(quick, -(-waiting // max(places, 1))))


def make_group(
    bench: Workbench,
    tasks: Sequence[ShardTask],
    worker: str = "",
    clock: Callable[[], float] = time.monotonic,
    departure: Departure | None = None,
) -> None:
    """Makes and commits shards one after the other, each as if it were alone.

    Raises GroupEnded at the first that fails or when they take too long, and XpshpcError for what no other attempt
    would cure.
    """
    began = clock()
    for place, task in enumerate(tasks):
        if place and clock() - began > LONGEST_S:
            raise GroupEnded(place)
        try:
            make_shard(bench, task, worker, clock, departure)
        except AttemptFailed as error:
            raise GroupEnded(place, error.attempt) from None
