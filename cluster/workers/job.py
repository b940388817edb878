"""What a worker job runs: `python -m xpshpc.cluster.workers.job SCHEDULER …` keeps workers until it is asked to leave.

It leaves when it gets SIGTERM, when its lifetime is over, and when the scheduler is gone. Workers that are at a shard
then may end it while the job lives. A worker that dies is replaced.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpshpc.cluster.workers.certificates import Certificates
from xpshpc.cluster.workers.dask_settings import PARENT_VARIABLE, START_S, dask_settings
from xpshpc.cluster.workers.steady_clock import count_steadily

_LOOK_S = 0.5
_ORPHANED_S = 5.0
"""Seconds that a worker whose scheduler is gone may take to end."""

SETUP = "xpshpc.cluster.workers.setup"
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


@dataclass(frozen=True)
class WorkerJobOptions:
    """How one job works: see `_read_arguments`."""

    scheduler: str
    name: str
    workers: int
    nthreads: int
    memory_limit: str
    death_timeout: float
    scratch: str
    interface: str | None
    certificates: Path | None
    lifetime: float | None
    lost_after: float


def run_worker_job(options: WorkerJobOptions) -> int:
    """Keeps the workers of a job. Returns 0 if they have left in good order, 1 if they could not be kept alive."""
    import dask

    count_steadily()
    os.environ.pop(PARENT_VARIABLE, None)
    scratch = _make_scratch(options.scratch)
    try:
        with dask.config.set(dask_settings(options.lost_after)):
            return asyncio.run(_Keeper(options, scratch).keep())
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


class _Keeper:
    """The nannies of one job, and how they part."""

    def __init__(self, options: WorkerJobOptions, scratch: Path) -> None:
        self._options = options
        self._scratch = scratch
        self._leaving = asyncio.Event()
        self._nannies: list[Any] = []

    async def keep(self) -> int:
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._leaving.set)
        if self._options.lifetime is not None:
            loop.call_later(self._options.lifetime, self._leaving.set)
        self._nannies = [self._nanny(number) for number in range(self._options.workers)]
        starting = asyncio.gather(*(nanny.start() for nanny in self._nannies), return_exceptions=True)
        failed = 0
        try:
            while not starting.done() and not self._leaving.is_set():
                await asyncio.wait([starting], timeout=_LOOK_S)
            if starting.done():
                failed = sum(isinstance(ended, BaseException) for ended in starting.result())
            if failed < len(self._nannies):
                failed += await self._watch()
        finally:
            starting.cancel()
            await asyncio.gather(*(nanny.close(timeout=1) for nanny in self._nannies), return_exceptions=True)
        return 1 if failed and not self._leaving.is_set() else 0

    def _nanny(self, number: int) -> Any:
        from distributed import Nanny

        options = self._options
        name = options.name if options.workers == 1 else f"{options.name}-{number}"
        return Nanny(
            options.scheduler,
            name=name,
            nthreads=options.nthreads,
            memory_limit=options.memory_limit,
            death_timeout=options.death_timeout,
            local_directory=str(self._scratch),
            interface=options.interface,
            security=options.certificates and Certificates(options.certificates).security(),
            preload=[SETUP],
            dashboard=False,
            dashboard_address="127.0.0.1:0",
        )

    async def _watch(self) -> int:
        """Waits for the end; returns how many workers could not be kept alive."""
        from distributed.core import Status

        absent: dict[int, float] = {}
        told = False
        lost = 0
        while any(nanny.status not in (Status.closed, Status.failed) for nanny in self._nannies):
            if self._leaving.is_set() and not told:
                told = True
                for nanny in self._nannies:
                    await _let_go(nanny)
            now = time.monotonic()
            for number, nanny in enumerate(self._nannies):
                orphaned = nanny.status == Status.closing_gracefully and not told
                if nanny.is_alive() and nanny.status == Status.running:
                    absent.pop(number, None)
                elif now - absent.setdefault(number, now) > (_ORPHANED_S if orphaned else START_S) and not told:
                    lost += not orphaned
                    await nanny.close(timeout=1)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), _LOOK_S) if not told else await asyncio.sleep(_LOOK_S)
        return lost


async def _let_go(nanny: Any) -> None:
    """Asks a worker to leave, and its nanny not to replace it."""
    nanny.close_gracefully(reason="the job was asked to leave")
    if nanny.is_alive() and nanny.pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(nanny.pid, signal.SIGTERM)
    else:
        await nanny.close(timeout=1)


def _make_scratch(text: str) -> Path:
    """A folder of this job alone, inside the one that is named; that may hold ~ and variables of the node."""
    parent = Path(os.path.expandvars(text)).expanduser()
    if "$" in str(parent):
        sys.stderr.write(f"scratch: a variable in {text!r} is not set on this node\n")
        raise SystemExit(1)
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Path(tempfile.mkdtemp(prefix="xpshpc-", dir=parent))


def _read_arguments(arguments: Sequence[str]) -> WorkerJobOptions:
    parser = argparse.ArgumentParser(prog="worker_job", description=__doc__)
    parser.add_argument("scheduler")
    parser.add_argument("--name", required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--nthreads", type=int, default=1)
    parser.add_argument("--memory-limit", default="auto")
    parser.add_argument("--death-timeout", type=float, default=START_S)
    parser.add_argument("--scratch", required=True, help="folder for temporary files, may hold $VARIABLES")
    parser.add_argument("--interface")
    parser.add_argument("--certificates", type=Path)
    parser.add_argument("--lifetime", type=float, help="seconds after which no new shard is begun")
    parser.add_argument("--lost-after", type=float, default=START_S)
    return WorkerJobOptions(**vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(run_worker_job(_read_arguments(sys.argv[1:])))
