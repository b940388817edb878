"""Progress from another process: the events it appends to a file, passed on as they come."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from xpshpc.events import Event, Listener


class Follower:
    """Reads a JSONL file of events as it grows, from the byte `start` on; kinds not among `kinds` are passed over."""

    def __init__(self, path: Path, kinds: Iterable[type[Event]], listener: Listener | None, *, start: int = 0) -> None:
        self._path = path
        self._kinds = {kind.__name__: kind for kind in kinds}
        self._listener = listener
        self._offset = start

    def pass_on(self) -> None:
        """Tells the listener what was appended since the last call; a line still being written waits for the next."""
        if self._listener is None or not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            whole = file.read().rpartition(b"\n")
        self._offset += len(whole[0]) + len(whole[1])
        for line in whole[0].splitlines():
            fields = json.loads(line)
            kind = self._kinds.get(fields.pop("event"))
            fields.pop("time")
            if kind is not None:
                self._listener(kind(**fields))
