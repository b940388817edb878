"""The roll of connected workers, kept by the scheduler and read where the coordinator is."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import signal
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distributed import SchedulerPlugin

from xpshpc.cluster.workers.dask_settings import START_S
from xpshpc.cluster.workers.events import WorkerJoined, WorkerLeft
from xpshpc.errors import EnvironmentFault

if TYPE_CHECKING:
    from distributed import Client

_TOPIC = "xpshpc-roll"
_PING_S = 0.1


@dataclass(frozen=True)
class Member:
    """A connected worker: its name, its host's name, process id, SLURM job, and Dask's address of it."""

    worker: str
    host: str
    pid: int
    job_id: str
    address: str


class _Roll(SchedulerPlugin):  # type: ignore[misc]  # Dask's classes are untyped
    """Tells who comes and goes, from within the scheduler."""

    name = _TOPIC

    def __init__(self) -> None:
        self.members: dict[str, dict[str, Any]] = {}

    async def start(self, scheduler: Any) -> None:
        self.scheduler = scheduler
        for address in list(scheduler.workers):
            self.add_worker(scheduler, address)

    def add_worker(self, scheduler: Any, worker: str) -> None:
        state = scheduler.workers[worker]
        self.members[worker] = {
            "worker": str(state.name),
            "host": str(state.extra.get("host", state.host)),
            "pid": int(state.pid),
            "job_id": str(state.extra.get("job_id", "")),
            "address": worker,
        }
        scheduler.log_event(_TOPIC, {"joined": self.members[worker]})

    def remove_worker(self, scheduler: Any, worker: str, **_: Any) -> None:
        left = self.members.pop(worker, None)
        if left is not None:
            scheduler.log_event(_TOPIC, {"left": left})


class Roll:
    """The connected workers as the scheduler tells them."""

    def __init__(self, client: Client) -> None:
        self._told: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._members: dict[str, Member] = {}
        self._jobs: Counter[str] = Counter()
        client.subscribe_topic(_TOPIC, lambda event: self._told.put(event[1]))
        self._wait_for_subscription(client)
        client.register_plugin(_Roll())

    def __len__(self) -> int:
        return len(self._members)

    def find(self, worker: str) -> Member | None:
        """The connected worker of this name."""
        return next((member for member in self._members.values() if member.worker == worker), None)

    def at(self, address: str) -> Member | None:
        """The connected worker at one of Dask's addresses."""
        return self._members.get(address)

    def workers_of(self, job_id: str) -> int:
        """How many workers of this job are connected."""
        return self._jobs[job_id]

    def end_worker(self, client: Client, host: str, pid: int, worker: str) -> bool:
        """Has the nanny of a worker kill it, without waiting for it; false if this process is not connected."""
        member = self.find(worker)
        if member is None or (member.host, member.pid) != (host, pid):
            return False
        asyncio.run_coroutine_threadsafe(_kill_by_nanny(client, member.address, pid), client.loop.asyncio_loop)
        return True

    def changes(self) -> list[WorkerJoined | WorkerLeft]:
        """Who came and who went since the last call."""
        changes: list[WorkerJoined | WorkerLeft] = []
        while True:
            try:
                told = self._told.get_nowait()
            except queue.Empty:
                return changes
            if "joined" in told:
                member = Member(**told["joined"])
                self._members[member.address] = member
                self._jobs[member.job_id] += 1
                changes.append(WorkerJoined(member.worker, member.host, member.pid, member.job_id))
            elif "left" in told:
                member = Member(**told["left"])
                self._members.pop(member.address, None)
                self._jobs[member.job_id] -= 1
                why = "its connection ended"
                changes.append(WorkerLeft(member.worker, member.host, member.pid, member.job_id, why))

    def _wait_for_subscription(self, client: Client) -> None:
        """What happens between asking for a topic's events and the scheduler's knowing of it would be missed."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            client.log_event(_TOPIC, {"ping": True})
            try:
                self._told.get(timeout=_PING_S)
            except queue.Empty:
                continue
            return
        raise EnvironmentFault("the Dask scheduler does not answer", try_="the same command again")


def _kill_in_nanny(pid: int, dask_worker: Any) -> None:
    if dask_worker.pid == pid:
        os.kill(pid, signal.SIGKILL)


async def _kill_by_nanny(client: Client, address: str, pid: int) -> None:
    with contextlib.suppress(OSError, TimeoutError, ValueError):
        await client.run(_kill_in_nanny, pid, workers=[address], nanny=True, on_error="ignore", asynchronous=True)
