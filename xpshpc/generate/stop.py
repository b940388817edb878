"""Being asked to stop: Ctrl-C at a terminal, SIGTERM from a scheduler."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """While in use, counts the requests to stop instead of dying of them. Only the main thread can receive them."""

    def __init__(self) -> None:
        self.requests = 0
        self.by = ""
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._request) for number in STOP_SIGNALS}
        return self

    def _request(self, number: int, _frame: FrameType | None) -> None:
        self.requests += 1
        self.by = signal.Signals(number).name

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
