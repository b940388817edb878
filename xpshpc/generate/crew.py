"""The workers as the coordinator sees them: groups of shards go out, and each comes back done, failed or lost."""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distributed import WorkerPlugin, get_worker
from distributed.scheduler import KilledWorker

from xpshpc.cluster.workers.departure import Departure
from xpshpc.errors import EnvironmentFault
from xpshpc.generate.group import make_group
from xpshpc.generate.shard_task import ShardTask, Workbench

if TYPE_CHECKING:
    from distributed import Client, Future

PLUGIN = "xpshpc-workbench"


class _WorkbenchPlugin(WorkerPlugin):  # type: ignore[misc]  # Dask's classes are untyped
    """Gives each worker, also one that takes a dead one's place, the run's workbench."""

    name = PLUGIN
    departure: Departure

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench

    def setup(self, worker: Any) -> None:
        self.departure = Departure()
        self.departure.attend(worker)


Group = tuple[ShardTask, ...]
"""Shards that go out as one task."""


def _make_group_here(group: Group) -> None:
    worker = get_worker()
    plugin = worker.plugins[PLUGIN]
    make_group(plugin.bench, group, worker=str(worker.name), departure=plugin.departure)


@dataclass(frozen=True)
class Ended:
    """A group that came back. `error` is None if it is done; `lost` tells that its worker died."""

    group: Group
    error: BaseException | None
    lost: bool = False


class Crew:
    """Hands groups to the workers of a Dask client. Nothing but their keys passes through the scheduler on the way
    back: what was made is in the store, and what failed comes as an exception."""

    def __init__(self, client: Client, bench: Workbench) -> None:
        self._client = client
        self._ended: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._groups: dict[str, tuple[Group, Future]] = {}
        self._handed_out = 0
        client.register_plugin(_WorkbenchPlugin(bench), name=PLUGIN)

    def __len__(self) -> int:
        return len(self._groups)

    def hand_out(self, group: Group) -> None:
        """Gives a group to the next worker that is free."""
        key = f"shards-{group[0].shard.number}-{group[0].number}-{self._handed_out}"
        self._handed_out += 1
        future = self._client.submit(_make_group_here, group, key=key, pure=False, retries=0)
        self._groups[key] = (group, future)
        future.add_done_callback(self._ended.put)

    def next_ended(self, timeout_s: float) -> Ended | None:
        """The next group that came back, or None if none does within the time.

        Raises EnvironmentFault if the scheduler is gone.
        """
        try:
            future = self._ended.get(timeout=timeout_s) if timeout_s > 0 else self._ended.get_nowait()
        except queue.Empty:
            return None
        found = self._groups.pop(future.key, None)
        if found is None:
            return self.next_ended(0)
        group, _ = found
        error: Any = None
        status = future.status
        if status == "error":
            error = future.exception()
        elif status not in ("finished", "lost"):
            raise EnvironmentFault(
                f"the Dask scheduler is gone (shard {group[0].shard.number} is {status})", try_="the same command again"
            )
        future.release()
        # "lost": the worker died just after it had finished, and its empty answer with it; the records tell the rest.
        return Ended(group, error, status == "lost" or isinstance(error, KilledWorker))

    def withdraw(self, is_begun: Callable[[Group], bool]) -> None:
        """Takes back the groups that no worker has begun."""
        for key, (group, future) in list(self._groups.items()):
            if not is_begun(group):
                del self._groups[key]
                future.cancel(force=True)
