"""A Dask client on processes of this machine, and nothing left of them afterwards."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xpshpc.cluster.machine import usable_memory
from xpshpc.cluster.process import kill_process, process_of
from xpshpc.cluster.tether import die_with_parent
from xpshpc.errors import EnvironmentFault

if TYPE_CHECKING:
    from distributed import Client

LOOPBACK = "127.0.0.1"
MEMORY_SHARE = 0.9
START_S = 60.0

WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # Large arrays come and go all the time; giving their pages back to the system between two shards, as Dask's own
    # setting (64 KiB) asks for, made the simulation 2.6 times slower than keeping them.
    "MALLOC_TRIM_THRESHOLD_": str(512 * 2**20),
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
}
LOG_VARIABLE = "XPSHPC_WORKER_LOG"
PARENT_VARIABLE = "XPSHPC_WORKER_PARENT"
NOISY_LOGGERS = ("distributed", "tornado", "asyncio")
QUIET_TRACKER = "ignore:resource_tracker"
"""Python's resource tracker removes what killed workers leave behind; that it had to is no news here."""


def _configuration(log: Path | None) -> dict[str, Any]:
    own = {LOG_VARIABLE: str(log or ""), PARENT_VARIABLE: str(os.getpid())}
    return {
        # A lost worker fails its task at once: what happens next is the coordinator's decision, not the scheduler's.
        "distributed.scheduler.allowed-failures": 0,
        "distributed.scheduler.worker-ttl": None,
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
        "distributed.worker.memory.terminate": 0.98,
        "distributed.worker.profile.enabled": False,
        # Workers share their cores with these clocks, and the ones that simulate want all of them.
        "distributed.admin.tick.interval": "1s",
        "distributed.admin.system-monitor.interval": "5s",
        "distributed.worker.memory.monitor-interval": "1s",
        "distributed.worker.http.routes": [],
        "distributed.scheduler.http.routes": [],
        "distributed.nanny.pre-spawn-environ": {**WORKER_ENVIRONMENT, **own},
        "distributed.comm.timeouts.connect": START_S,
        "distributed.admin.low-level-log-length": 100,
        "distributed.admin.log-length": 100,
    }


@contextlib.contextmanager
def open_local_client(workers: int, *, scratch: Path, log: Path | None = None) -> Iterator[Client]:
    """A client of `workers` single-threaded worker processes that listen on the loopback interface only.

    A worker that dies is replaced; all of them die with this process, however it ends. `scratch` is made for its owner
    alone and holds what Dask writes; what the workers print goes to the file `log` (or to stderr without one).
    Raises EnvironmentFault if the workers do not start.
    """
    import dask
    from distributed import Client, LocalCluster

    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    scratch.chmod(0o700)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_restored_environment())
        stack.enter_context(_quiet_logs())
        stack.enter_context(dask.config.set(_configuration(log)))
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
                preload=[__name__],
            )
        except (OSError, RuntimeError, TimeoutError) as error:
            raise EnvironmentFault(
                f"the worker processes do not start: {error}", where=f"{workers} workers", try_="xpshpc doctor"
            ) from error
        stack.callback(_close, cluster)
        client = stack.enter_context(Client(cluster, timeout=START_S, set_as_default=False))
        client.wait_for_workers(workers, timeout=START_S)
        yield client


def dask_setup(_worker: Any) -> None:
    """Called by Dask in each new worker process: ties its life to the coordinator's and puts its output aside."""
    die_with_parent(int(os.environ[PARENT_VARIABLE]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at a terminal reaches the whole group; we stop the workers
    log = os.environ[LOG_VARIABLE]
    if log:
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(target, 2)
        os.close(target)
    os.dup2(2, 1)  # what a source prints must not get between the lines of the coordinator's answer


def _close(cluster: Any) -> None:
    """Ends workers whatever they are doing: a shard half made is worth nothing, and its bytes are not in the store."""
    for nanny in cluster.workers.values():
        nanny.auto_restart = False
        if nanny.pid is not None:
            kill_process(process_of(nanny.pid))
    cluster.close()


@contextlib.contextmanager
def _restored_environment() -> Iterator[None]:
    """Dask sets the workers' environment in this process too; later stages must not inherit it."""
    before = dict(os.environ)
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [before.get("PYTHONWARNINGS"), QUIET_TRACKER]))
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


@contextlib.contextmanager
def _quiet_logs() -> Iterator[None]:
    """A lost worker is an event of ours; Dask's tracebacks about it would only bury it."""
    loggers = [logging.getLogger(name) for name in NOISY_LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
