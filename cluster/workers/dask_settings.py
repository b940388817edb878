"""How Dask is set for this program, in the coordinator, in the scheduler and in every worker alike."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping
from typing import Any

from xpshpc.cluster.workers.steady_clock import count_steadily

START_S = 60.0
"""Seconds that a worker has to reach its scheduler, and the other way round."""

SHORTEST_TCP_S = 15.0
"""Dask sends ten probes, a second apart at least, before it takes a connection for broken."""

WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # Large arrays come and go all the time; giving their pages back to the system between two shards, as Dask's own
    # setting (64 KiB) asks for, made the simulation 2.6 times slower than keeping them.
    "MALLOC_TRIM_THRESHOLD_": str(512 * 2**20),
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
}
PARENT_VARIABLE = "XPSHPC_WORKER_PARENT"
_NOISY_LOGGERS = ("distributed", "tornado", "asyncio", "dask_jobqueue")
_QUIET_TRACKER = "ignore:resource_tracker"
"""Python's resource tracker removes what killed workers leave behind; that it had to is no news here."""


def dask_settings(lost_after_s: float | None = None, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Dask's configuration. A worker that says nothing for `lost_after_s` seconds is lost (None: when its connection
    ends); `environment` is added to that of the worker processes."""
    own = {PARENT_VARIABLE: str(os.getpid())}
    return {
        # A lost worker fails its task at once: what happens next is the coordinator's decision, not the scheduler's.
        "distributed.scheduler.allowed-failures": 0,
        "distributed.scheduler.worker-ttl": lost_after_s,
        # There are no results in the workers' memory to move about.
        "distributed.scheduler.active-memory-manager.start": False,
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
        "distributed.nanny.pre-spawn-environ": {**WORKER_ENVIRONMENT, **own, **(environment or {})},
        "distributed.comm.timeouts.connect": START_S,
        **({"distributed.comm.timeouts.tcp": max(lost_after_s, SHORTEST_TCP_S)} if lost_after_s else {}),
        "distributed.admin.low-level-log-length": 100,
        "distributed.admin.log-length": 100,
    }


@contextlib.contextmanager
def own_dask(settings: Mapping[str, Any]) -> Iterator[None]:
    """Uses these settings for a while and keeps Dask quiet: a lost worker is an event of ours, not a traceback."""
    import dask

    count_steadily()
    with _restored_environment(), _quiet_logs(), dask.config.set(settings):
        yield


@contextlib.contextmanager
def _restored_environment() -> Iterator[None]:
    """Dask sets the workers' environment in this process too; later stages must not inherit it."""
    before = dict(os.environ)
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [before.get("PYTHONWARNINGS"), _QUIET_TRACKER]))
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


@contextlib.contextmanager
def _quiet_logs() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in _NOISY_LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
