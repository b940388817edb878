"""Events are dataclasses appended to JSONL files; progress, logs and reports only read them."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Event:
    """Something that happened. A stage's own events are frozen subclasses; the class name is the event's kind."""

    def as_json(self) -> dict[str, Any]:
        return {"event": type(self).__name__, **vars(self)}


@dataclass(frozen=True)
class StageStarted(Event):
    """A stage begins: `total` units of work, of which `done` were there before."""

    stage: str
    total: int
    done: int
    unit: str


@dataclass(frozen=True)
class StageProgressed(Event):
    """`done` of the stage's units are finished, fractions counted; `note` is a short text for the progress line."""

    stage: str
    done: float
    note: str = ""


@dataclass(frozen=True)
class StageFinished(Event):
    """A stage is complete after `wall_s` seconds."""

    stage: str
    wall_s: float


Listener = Callable[[Event], None]


class EventLog:
    """Appends events to one JSONL file (one writer a file) and passes them to listeners.

    Each line carries `time`, seconds since the epoch. A line is one `write` call, so a killed writer tears at most the
    last line, which `read_events` leaves out. What a full disk does not take is kept and written with a later event.
    """

    def __init__(self, path: Path, *listeners: Listener, clock: Callable[[], float] = time.time) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        if _ends_in_torn_line(path):
            os.write(self._file, b"\n")
        self._listeners = listeners
        self._clock = clock
        self._unwritten = b""

    def emit(self, event: Event) -> None:
        line = json.dumps({"time": round(self._clock(), 3), **event.as_json()}, default=vars, separators=(",", ":"))
        self._unwritten += line.encode() + b"\n"
        self._write()
        for listener in self._listeners:
            listener(event)

    def _write(self) -> None:
        try:
            self._unwritten = self._unwritten[os.write(self._file, self._unwritten) :]
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise

    def close(self) -> None:
        if self._unwritten:
            self._write()
        os.close(self._file)

    def __enter__(self) -> EventLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _ends_in_torn_line(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def read_events(path: Path) -> Iterator[dict[str, Any]]:
    """The events of a file in order; torn lines are passed over, a missing file has none."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and "event" in event:
                yield event
