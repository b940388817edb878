"""All of a data set's workers in one allocation: rank 0 is the scheduler, rank 1 the coordinator, the others workers.

dask-jobqueue's SLURMRunner gives the roles. The scheduler ends with the coordinator's connection and the workers with
the scheduler's, so that none outlives another; a worker's death ends nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dask_jobqueue.slurm import SLURMRunner
from distributed import SchedulerPlugin

from xpshpc.cluster.address import own_address
from xpshpc.cluster.profile import Profile
from xpshpc.cluster.site import megabytes
from xpshpc.cluster.workers.certificates import Certificates
from xpshpc.cluster.workers.dask_settings import START_S, dask_settings, own_dask
from xpshpc.cluster.workers.roll import Roll
from xpshpc.cluster.workers.script import MEMORY_SHARE
from xpshpc.errors import EnvironmentFault
from xpshpc.events import Listener

if TYPE_CHECKING:
    from distributed import Client

COORDINATOR_RANK = 1
SETUP = "xpshpc.cluster.workers.setup"
SCHEDULER_FILE = "scheduler.json"
CERTIFICATES = "tls"
SCRATCH = "scratch"


class _EndWithCoordinator(SchedulerPlugin):  # type: ignore[misc]  # Dask's classes are untyped
    """Closes the scheduler, and with it the workers, when the coordinator has gone or never comes."""

    name = "xpshpc-end-with-coordinator"

    def __init__(self) -> None:
        self._came = False

    async def start(self, scheduler: Any) -> None:
        self._late = asyncio.get_running_loop().call_later(2 * START_S, self._close_without, scheduler)

    def add_client(self, scheduler: Any, client: str) -> None:
        self._came = True

    def remove_client(self, scheduler: Any, client: str) -> None:
        self._closing = asyncio.ensure_future(scheduler.close(reason="the coordinator has gone"))

    def _close_without(self, scheduler: Any) -> None:
        if not self._came:
            self._closing = asyncio.ensure_future(scheduler.close(reason="no coordinator came"))


class Roles(SLURMRunner):  # type: ignore[misc]
    """Becomes the scheduler or a worker, and does not come back from it; comes back to the coordinator."""

    async def on_scheduler_start(self, scheduler: Any) -> None:
        plugin = _EndWithCoordinator()
        scheduler.add_plugin(plugin)
        await plugin.start(scheduler)

    async def start_scheduler(self) -> None:
        await super().start_scheduler()
        _end_process()

    async def start_worker(self) -> None:
        await super().start_worker()
        _end_process()

    async def get_worker_name(self) -> str:
        return f"{os.environ['SLURM_JOB_ID']}-{self.proc_id}"

    async def get_scheduler_address(self) -> str:
        """Left to whoever connects: the file may be half written yet."""
        return ""


def take_role(profile: Profile, folder: Path) -> None:
    """Makes this process what its rank says; only the coordinator's returns.

    `folder` is one of this call alone, on a file system that all nodes share; it holds the certificates.
    """
    if int(os.environ["SLURM_PROCID"]) == COORDINATOR_RANK:
        return
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)  # the coordinator is asked to stop; the others end when it does
    site = profile.site
    security = Certificates(folder / CERTIFICATES).security()
    scratch = profile.scratch_folder() or folder / SCRATCH
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    memory = int(megabytes(site.generate.memory_per_worker) * MEMORY_SHARE)
    with own_dask(dask_settings(site.limits.lost_after_s)):
        logging.getLogger("distributed").setLevel(logging.WARNING)
        Roles(
            scheduler_file=str(folder / SCHEDULER_FILE),
            scheduler_options={
                "host": own_address(site.interface),
                "protocol": "tls",
                "security": security,
                "dashboard": False,
                "dashboard_address": "127.0.0.1:0",
            },
            worker_class="distributed.Nanny",
            worker_options={
                "nthreads": 1,
                "memory_limit": f"{memory}MiB",
                "death_timeout": START_S,
                "local_directory": str(scratch),
                "interface": site.interface,
                "security": security,
                "preload": [SETUP],
                "dashboard": False,
                "dashboard_address": "127.0.0.1:0",
            },
        )


@contextlib.contextmanager
def open_allocation(profile: Profile, folder: Path, workers: int, on_event: Listener) -> Iterator[AllocationWorkforce]:
    """The workers of the other ranks, for the coordinator's; they and the scheduler end with the block.

    Raises EnvironmentFault if the scheduler's rank does not answer.
    """
    from distributed import Client

    file = folder / SCHEDULER_FILE
    _wait_for(file)
    with contextlib.ExitStack() as stack:
        stack.enter_context(own_dask(dask_settings(profile.site.limits.lost_after_s)))
        try:
            client = Client(
                scheduler_file=str(file),
                security=Certificates(folder / CERTIFICATES).security(),
                timeout=START_S,
                set_as_default=False,
            )
        except (OSError, TimeoutError) as error:
            raise _no_scheduler(str(error)) from error
        stack.callback(_shut_down, client)
        yield AllocationWorkforce(client, workers, on_event, profile.site.limits.lost_after_s)


class AllocationWorkforce:
    """A Workforce of ranks: those that die as a whole are not replaced, their worker processes are."""

    waiting = ""

    def __init__(
        self,
        client: Client,
        workers: int,
        on_event: Listener,
        lost_after_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client = client
        self.wanted = workers
        self._on_event, self._lost_after_s, self._clock = on_event, lost_after_s, clock
        self._roll = Roll(client)
        self._silent_since: float | None = None

    @property
    def connected(self) -> int:
        return len(self._roll)

    def tend(self) -> None:
        for change in self._roll.changes():
            self._on_event(change)
        if self.client.status == "running":
            self._silent_since = None
            return
        now = self._clock()
        self._silent_since = now if self._silent_since is None else self._silent_since
        if now - self._silent_since > self._lost_after_s or self.client.status == "closed":
            raise _no_scheduler("its rank is gone")

    def end_worker(self, host: str, pid: int, worker: str) -> bool:
        return self._roll.end_worker(self.client, host, pid, worker)


def _end_process() -> None:
    """A role that is over has nothing to say; the threads that Dask leaves behind would keep its rank for long."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _wait_for(file: Path) -> None:
    deadline = time.monotonic() + START_S
    while not file.exists():
        if time.monotonic() > deadline:
            raise _no_scheduler("it has not started")
        time.sleep(0.1)


def _shut_down(client: Client) -> None:
    """Ends scheduler and workers with us; where the scheduler is gone already, nobody is waited for."""
    with contextlib.suppress(OSError, TimeoutError, ValueError):
        if client.status == "running":
            client.shutdown()
        else:
            client.close(timeout=1)


def _no_scheduler(why: str) -> EnvironmentFault:
    return EnvironmentFault(f"the Dask scheduler is gone ({why})", where="rank 0", try_="the same command again")
