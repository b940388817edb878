"""The shards that nobody has in hand: those never tried, and those to be tried again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from xpshpc.generate.group import group_size
from xpshpc.generate.shard_task import ShardTask
from xpshpc.store.manifest import Manifest

WEIGHT = 0.25
"""The last commit's share in what a shard is thought to take."""


class Backlog:
    """Gives a plan's pending shards out in groups: ascending, after those that came back."""

    def __init__(self, manifest: Manifest, session: str) -> None:
        self._plan, self._pending, self._session = manifest.plan, manifest.pending(), session
        self._untouched = int((~manifest.committed).sum())
        self._again: deque[ShardTask] = deque()
        self._shard_s: float | None = None

    def __len__(self) -> int:
        return self._untouched + len(self._again)

    def put_back(self, tasks: Iterable[ShardTask]) -> None:
        """Takes in shards that were not begun, or are to be made again."""
        self._again.extend(tasks)

    def note_seconds(self, seconds: float) -> None:
        """A shard was made in so many seconds."""
        before = seconds if self._shard_s is None else self._shard_s
        self._shard_s = before + WEIGHT * (seconds - before)

    def next_group(self, places: int, *, first: bool, alone: bool) -> tuple[ShardTask, ...]:
        """The shards of the next task, of which so many may be handed out at once; empty if none is left.

        `first` tells that no sample has come out well yet, `alone` that shards go one by one for now. A shard that has
        failed before always goes alone.
        """
        size = 1 if first or alone else group_size(self._shard_s, len(self), places)
        group: list[ShardTask] = []
        while len(group) < size:
            task = self._next(first)
            if task is None:
                break
            if task.number > 1 and group:
                self._again.appendleft(task)
                break
            group.append(task)
            if task.number > 1 or task.first:
                break
        return tuple(group)

    def _next(self, first: bool) -> ShardTask | None:
        if self._again:
            return self._again.popleft()
        number = next(self._pending, None)
        if number is None:
            return None
        self._untouched -= 1
        return ShardTask(self._plan[number], 1, self._session, first=first)
