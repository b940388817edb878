"""The port at which a launcher hears its ranks: it lets in who knows its token, and hears them a word at a time.

A word is a line of JSON, and the first one has to bring the token. Until it has come, a connection is a stranger's: it
has a limited time and a limited number of bytes, and nothing that it says is passed on.
"""

from __future__ import annotations

import hmac
import json
import secrets
import selectors
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from xpshpc.cluster.ranks.address import LOOPBACK
from xpshpc.errors import EnvironmentFault

INTRODUCTION_S = 60.0
"""How long a connection may be a stranger's. A rank says who it is as soon as it is connected."""

NONSENSE = (ValueError, KeyError, TypeError)
"""What reading a word raises that means nothing."""

_PROBES = ((socket.TCP_KEEPIDLE, 15), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 3))
_LONGEST_WORD = 1024
_READ_AT_ONCE = 4096
_BACKLOG = 4096
_MOST_STRANGERS = 4096


@dataclass(eq=False)
class Line:
    """One connection, and what of a word has come over it so far."""

    connection: socket.socket
    said: bytes = b""

    @property
    def is_open(self) -> bool:
        return self.connection.fileno() >= 0

    def tell(self, word: bytes) -> None:
        """Sends a word to the other end, if that still listens. Never waits."""
        try:
            self.connection.send(word)
        except OSError:
            return  # it is gone, which is found out by hearing it


class Listener:
    """The port and all lines to it. `hear` is to be called often; there is no thread.

    Listens on one address only. Raises EnvironmentFault where it cannot.
    """

    def __init__(self, address: str = LOOPBACK, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._token = secrets.token_hex(16)
        self._lines: set[Line] = set()
        self._strangers: dict[Line, float] = {}
        try:
            self._port = socket.create_server((address, 0), backlog=_BACKLOG)
        except OSError as error:
            raise EnvironmentFault(
                f"cannot listen for ranks: {error.strerror}", where=address, try_="profile: slurm.interface"
            ) from error
        self._place = f"{address}:{self._port.getsockname()[1]}"
        self._port.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._port, selectors.EVENT_READ)

    @property
    def anybody(self) -> bool:
        """Whether anybody is connected, also who has not yet brought the token."""
        return bool(self._lines)

    def environment(self, name: str) -> dict[str, str]:
        """What a process has to know in order to be let in, as two variables that begin with this name."""
        return {name: self._place, f"{name}_TOKEN": self._token}

    def hear(self) -> Iterator[tuple[Line, Mapping[str, Any]]]:
        """Lets in who has come, and passes on what those have said who know the token, each word with its line.

        Never waits. A line over which nonsense comes is hung up, as is a stranger's whose time is over. To be read to
        its end.
        """
        for key, _ in self._selector.select(timeout=0):
            if key.data is None:
                self._let_in()
            elif key.data.is_open:
                yield from self._hear(key.data)
        now = self._clock()
        for line in [line for line, due in self._strangers.items() if now >= due]:
            self.hang_up(line)

    def hang_up(self, line: Line) -> None:
        """Ends a line; one that has ended stays so."""
        if not line.is_open:
            return
        self._selector.unregister(line.connection)
        line.connection.close()
        self._lines.discard(line)
        self._strangers.pop(line, None)

    def shut(self) -> None:
        """Lets nobody in any more. Who is in stays."""
        if self._port.fileno() >= 0:
            self._selector.unregister(self._port)
            self._port.close()

    def close(self) -> None:
        """Hangs up on all, and lets nobody in any more."""
        self.shut()
        for line in [*self._lines]:
            self.hang_up(line)
        self._selector.close()

    def _let_in(self) -> None:
        for _ in range(_MOST_STRANGERS - len(self._strangers)):
            try:
                connection, _ = self._port.accept()
            except OSError:
                return
            connection.setblocking(False)
            keep_alive(connection)
            line = Line(connection)
            self._lines.add(line)
            self._strangers[line] = self._clock() + INTRODUCTION_S
            self._selector.register(connection, selectors.EVENT_READ, line)

    def _hear(self, line: Line) -> Iterator[tuple[Line, Mapping[str, Any]]]:
        try:
            said = line.connection.recv(_READ_AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        *words, line.said = (line.said + said).split(b"\n")
        for word in words:
            told = self._read(line, word)
            if told is None:
                self.hang_up(line)
            if told is None or not line.is_open:
                return
            yield line, told
        if not said or len(line.said) > _LONGEST_WORD:
            self.hang_up(line)

    def _read(self, line: Line, word: bytes) -> Mapping[str, Any] | None:
        """What a word says; None where that is nothing, or a stranger's who does not know the token."""
        if len(word) > _LONGEST_WORD:
            return None
        try:
            told = json.loads(word)
            if line in self._strangers:
                if not hmac.compare_digest(str(told["token"]).encode(), self._token.encode()):
                    return None
                del self._strangers[line]
        except (*NONSENSE, RecursionError):
            return None
        return told if isinstance(told, dict) else None


def keep_alive(connection: socket.socket) -> None:
    """Has the kernel find out within a minute that the other end is gone without a word."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _PROBES:
        connection.setsockopt(socket.IPPROTO_TCP, option, value)
