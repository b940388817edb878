"""The launcher's line to each member of an elastic gang: who calls, who waits, and what each of them is told."""

from __future__ import annotations

import hmac
import json
import secrets
import selectors
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from xpshpc.errors import EnvironmentFault

ROSTER_VARIABLES = ("XPSHPC_ROSTER", "XPSHPC_ROSTER_TOKEN", "XPSHPC_SEAT")

_LONGEST_WORD = 4096
_BACKLOG = 4096


@dataclass(frozen=True)
class Call:
    """A member says that it waits for a group, and how many steps of the work it holds (-1: none)."""

    seat: int
    host: str
    steps: int


@dataclass(eq=False)
class _Line:
    """One connection, what of a word has come so far, and whose it is."""

    socket: socket.socket
    said: bytes = b""
    seat: int | None = None
    host: str = ""


class Roster:
    """All members' lines. `hear` is to be called often; there is no thread.

    Listens on one address only and takes none but who knows the token. Raises EnvironmentFault where it cannot listen.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._token = secrets.token_hex(16)
        self._lines: dict[int, _Line] = {}
        self._selector = selectors.DefaultSelector()
        try:
            self._listener = socket.create_server((address, 0), backlog=_BACKLOG)
        except OSError as error:
            raise EnvironmentFault(
                f"cannot listen for ranks: {error.strerror}", where=address, try_="profile: slurm.interface"
            ) from error
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)

    @property
    def environment(self) -> dict[str, str]:
        """What a process has to know in order to call, but for its seat."""
        port = self._listener.getsockname()[1]
        return {"XPSHPC_ROSTER": f"{self.address}:{port}", "XPSHPC_ROSTER_TOKEN": self._token}

    def hear(self) -> list[Call]:
        """Lets in who has come, and returns the calls since the last time. Never waits."""
        calls: list[Call] = []
        for key, _ in self._selector.select(timeout=0):
            if key.data is None:
                self._let_in()
            else:
                calls += self._hear(key.data)
        return calls

    def tell(self, seat: int, word: Mapping[str, object]) -> None:
        """Sends a word to the member in a seat, if it still listens."""
        line = self._lines.get(seat)
        if line is None:
            return
        try:
            line.socket.send(json.dumps(word).encode() + b"\n")
        except OSError:
            return  # it is gone, which its launcher learns from its process

    def forget(self, seat: int) -> None:
        """Hangs up on the member in a seat, whose last words are of no interest any more."""
        line = self._lines.pop(seat, None)
        if line is not None:
            self._hang_up(line)

    def close(self) -> None:
        """Hangs up on all."""
        for key in [*self._selector.get_map().values()]:
            self._selector.unregister(key.fileobj)
            if key.data is not None:
                key.data.socket.close()
        self._listener.close()
        self._selector.close()

    def _let_in(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setblocking(False)
            self._selector.register(connection, selectors.EVENT_READ, _Line(connection))

    def _hear(self, line: _Line) -> list[Call]:
        try:
            said = line.socket.recv(4096)
        except BlockingIOError:
            return []
        except OSError:
            said = b""
        *words, line.said = (line.said + said).split(b"\n")
        try:
            calls = [call for word in words if (call := self._understand(line, json.loads(word))) is not None]
        except (ValueError, KeyError, TypeError):
            calls, said = [], b""
        if not said or len(line.said) > _LONGEST_WORD:
            self._hang_up(line)
        return calls

    def _hang_up(self, line: _Line) -> None:
        if line.socket.fileno() >= 0:
            self._selector.unregister(line.socket)
            line.socket.close()

    def _understand(self, line: _Line, told: Mapping[str, object]) -> Call | None:
        if line.seat is not None:
            return Call(line.seat, line.host, int(str(told["waits"])))
        if not hmac.compare_digest(str(told["token"]), self._token):
            raise ValueError("a stranger")
        line.seat, line.host = int(str(told["seat"])), str(told["host"])
        self._lines[line.seat] = line
        return None
