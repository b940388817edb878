"""The launcher's line to each member of an elastic gang: who calls, who waits, and what each of them is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xpshpc.cluster.ranks.listener import NONSENSE, Line, Listener

ROSTER_VARIABLES = ("XPSHPC_ROSTER", "XPSHPC_ROSTER_TOKEN", "XPSHPC_SEAT")


@dataclass(frozen=True)
class Call:
    """A member says that it waits for a group, and how many steps of the work it holds (-1: none)."""

    seat: int
    host: str
    steps: int


class Roster:
    """All members' lines. `hear` is to be called often; there is no thread.

    Listens on one address only and takes none but who knows the token. Raises EnvironmentFault where it cannot listen.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._listener = Listener(address)
        self._lines: dict[int, Line] = {}
        self._members: dict[Line, tuple[int, str]] = {}

    @property
    def environment(self) -> dict[str, str]:
        """What a process has to know in order to call, but for its seat."""
        return self._listener.environment("XPSHPC_ROSTER")

    def hear(self) -> list[Call]:
        """Lets in who has come, and returns the calls since the last time. Never waits."""
        calls: list[Call] = []
        for line, told in self._listener.hear():
            try:
                call = self._understand(line, told)
            except NONSENSE:
                self._listener.hang_up(line)
                continue
            if call is not None:
                calls.append(call)
        return calls

    def tell(self, seat: int, word: Mapping[str, object]) -> None:
        """Sends a word to the member in a seat, if it still listens."""
        if seat in self._lines:
            self._lines[seat].tell(json.dumps(word).encode() + b"\n")

    def forget(self, seat: int) -> None:
        """Hangs up on the member in a seat, whose last words are of no interest any more."""
        line = self._lines.pop(seat, None)
        if line is not None:
            self._listener.hang_up(line)

    def close(self) -> None:
        """Hangs up on all."""
        self._listener.close()

    def _understand(self, line: Line, told: Mapping[str, Any]) -> Call | None:
        if line in self._members:
            return Call(*self._members[line], int(told["waits"]))
        seat, host = int(told["seat"]), str(told["host"])
        self._members[line] = seat, host
        self._lines[seat] = line
        return None
