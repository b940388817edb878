"""A Dask client with the workers that a profile asks for, and nothing left of them afterwards."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xpshpc.cluster.machine import usable_memory
from xpshpc.cluster.process import kill_process, process_of
from xpshpc.cluster.profile import Profile
from xpshpc.cluster.workers.dask_settings import START_S, dask_settings, own_dask
from xpshpc.cluster.workers.setup import LOG_VARIABLE
from xpshpc.cluster.workers.workforce import Workforce
from xpshpc.errors import EnvironmentFault
from xpshpc.events import Listener
from xpshpc.run_directory import RunDirectory

if TYPE_CHECKING:
    from distributed import Client

LOOPBACK = "127.0.0.1"
MEMORY_SHARE = 0.9
SETUP = "xpshpc.cluster.workers.setup"


@contextlib.contextmanager
def open_workforce(
    profile: Profile | None, workers: int, run: RunDirectory, *, on_event: Listener, scratch: Path | None = None
) -> Iterator[Workforce]:
    """So many workers where the profile says; None: processes of this machine.

    Raises EnvironmentFault or UsageError if they cannot be had.
    """
    if profile is not None and profile.slurm is not None:
        from xpshpc.cluster.workers.jobs import open_fleet

        with open_fleet(profile, workers, run, on_event) as fleet:
            yield fleet
        return
    log = run.logs / "workers.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with open_local_client(workers, scratch=scratch or run.staging / "dask", log=log) as client:
        yield LocalWorkforce(client, workers, on_event)


class LocalWorkforce:
    """A Workforce of this machine, which Dask's nannies keep up in number."""

    waiting = ""

    def __init__(self, client: Client, workers: int, on_event: Listener) -> None:
        from xpshpc.cluster.workers.roll import Roll

        self.client = client
        self.wanted = workers
        self._on_event = on_event
        self._roll = Roll(client)

    @property
    def connected(self) -> int:
        return len(self._roll)

    def tend(self) -> None:
        for change in self._roll.changes():
            self._on_event(change)

    def end_worker(self, host: str, pid: int, worker: str) -> bool:
        """Workers of this machine are killed by whoever finds them silent."""
        return False


@contextlib.contextmanager
def open_local_client(workers: int, *, scratch: Path, log: Path | None = None) -> Iterator[Client]:
    """A client of `workers` single-threaded worker processes that listen on the loopback interface only.

    A worker that dies is replaced; all of them die with this process, however it ends. `scratch` is made for its owner
    alone and holds what Dask writes; what the workers print goes to the file `log` (or to stderr without one).
    Raises EnvironmentFault if the workers do not start.
    """
    from distributed import Client, LocalCluster

    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    scratch.chmod(0o700)
    with contextlib.ExitStack() as stack:
        stack.enter_context(own_dask(dask_settings(environment={LOG_VARIABLE: str(log or "")})))
        try:
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host=LOOPBACK,
                dashboard_address=None,
                scheduler_kwargs={"dashboard_address": f"{LOOPBACK}:0"},
                worker_dashboard_address=f"{LOOPBACK}:0",
                local_directory=str(scratch),
                memory_limit=int(usable_memory() * MEMORY_SHARE / workers),
                silence_logs=logging.CRITICAL,
                preload=[SETUP],
            )
        except (OSError, RuntimeError, TimeoutError) as error:
            raise EnvironmentFault(
                f"the worker processes do not start: {error}", where=f"{workers} workers", try_="xpshpc doctor"
            ) from error
        stack.callback(_close, cluster)
        client = stack.enter_context(Client(cluster, timeout=START_S, set_as_default=False))
        client.wait_for_workers(workers, timeout=START_S)
        yield client


def _close(cluster: Any) -> None:
    """Ends workers whatever they are doing: a shard half made is worth nothing, and its bytes are not in the store."""
    for nanny in cluster.workers.values():
        nanny.close_gracefully()  # it starts no other one
        if nanny.pid is not None:
            kill_process(process_of(nanny.pid))
    cluster.close()
