"""Dask's waits by the monotonic clock: a machine whose clock is set back must not fall silent until it catches up.

Tornado's event loop counts in the time of day, and Dask's batched messages wait by it: set back by ten minutes in the
wrong millisecond, a worker that has finished says so ten minutes later, and its heartbeats pause as long.
"""

from __future__ import annotations

import time
from typing import Any


def count_steadily() -> None:
    """Makes Dask in this process wait by the monotonic clock; to be called before its first loop runs."""
    from distributed import batched
    from tornado.ioloop import IOLoop

    IOLoop.time = _monotonic  # type: ignore[method-assign, assignment]
    batched.time = time.monotonic


def _monotonic(_loop: Any) -> float:
    return time.monotonic()
