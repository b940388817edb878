"""A worker that is asked to leave (SIGTERM): it takes no new task, ends the one it has, and goes."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

_LOOK_S = 0.1


class Departure:
    """The request to leave of one worker process, and what is to be told when it comes."""

    def __init__(self) -> None:
        self.requested = False
        self._tell: Callable[[], None] | None = None
        self._lock = threading.Lock()

    def attend(self, worker: Any) -> None:
        """From now on SIGTERM asks this Dask worker to leave. To be called in its event loop, on the main thread."""
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._request, worker)

    @contextlib.contextmanager
    def watched(self, tell: Callable[[], None]) -> Iterator[None]:
        """Calls `tell` if the request comes during the block, from another thread than the work's."""
        with self._lock:
            self._tell = tell
            if self.requested:
                tell()
        try:
            yield
        finally:
            with self._lock:
                self._tell = None

    def _request(self, worker: Any) -> None:
        with self._lock:
            if self.requested:
                return
            self.requested = True
            if self._tell is not None:
                self._tell()
        self._leaving = asyncio.ensure_future(_leave(worker))


async def _leave(worker: Any) -> None:
    """Whether a new process takes its place is the nanny's decision."""
    from distributed.core import Status

    worker.status = Status.closing_gracefully
    while worker.state.executing_count:
        await asyncio.sleep(_LOOK_S)
    await worker.close(nanny=False, reason="asked to leave")
