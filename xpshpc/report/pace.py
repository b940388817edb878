"""How fast a stage goes, and when it will be done: from its own counts, on a clock that is passed in."""

from __future__ import annotations

from collections import deque

WINDOW_S = 30.0


class Pace:
    """The progress of one stage.

    Units that were there before the stage began count as done, not as speed. The rate is that of the last `WINDOW_S`
    seconds, so that a pause or a faster worker shows.
    """

    def __init__(self, total: int, done: float, now: float) -> None:
        self.total = total
        self.before = done
        self.done = done
        self._started = now
        self._marks = deque([(now, done)])

    def advance(self, done: float, now: float) -> None:
        """Notes that `done` units are finished at the time `now` (seconds)."""
        self.done = done
        self._marks.append((now, done))
        while len(self._marks) > 2 and self._marks[1][0] <= now - WINDOW_S:
            self._marks.popleft()

    def elapsed_s(self, now: float) -> float:
        return now - self._started

    def share(self) -> float:
        """The finished share, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 1.0

    def rate(self, now: float) -> float | None:
        """Units a second over the last window; None before there is anything to tell from."""
        then, done_then = self._marks[0]
        if now <= then or self.done == done_then:
            return None
        return (self.done - done_then) / (now - then)

    def left_s(self, now: float) -> float | None:
        """Seconds to go at the present rate."""
        rate = self.rate(now)
        return None if rate is None else max(0.0, (self.total - self.done) / rate)
