"""Batches made ready in a thread while the step before them is computed, and the time spent waiting for them."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

_POLL_S = 0.2


class Prefetch(Generic[T]):
    """Iterates over `items` made by another thread, at most `depth` ahead. An error there is raised here, in its place.

    `waited_s` is the time the consumer spent waiting. Leaving the context ends the thread.
    """

    def __init__(self, items: Iterable[T], *, depth: int = 3, clock: Callable[[], float] = time.perf_counter) -> None:
        self.waited_s = 0.0
        self._clock = clock
        self._queue: queue.Queue[T | _End] = queue.Queue(depth)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._fill, args=(items,), name="batches", daemon=True)

    def __enter__(self) -> Prefetch[T]:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._thread.join()

    def __iter__(self) -> Iterator[T]:
        while True:
            asked = self._clock()
            item = self._queue.get()
            self.waited_s += self._clock() - asked
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item

    def _fill(self, items: Iterable[T]) -> None:
        try:
            for item in items:
                if not self._put(item):
                    return
        except Exception as error:  # noqa: BLE001 - raised again where the items are taken
            self._put(_End(error))
        else:
            self._put(_End(None))

    def _put(self, item: T | _End) -> bool:
        while not self._closed.is_set():
            try:
                self._queue.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False


class _End:
    def __init__(self, error: Exception | None) -> None:
        self.error = error
