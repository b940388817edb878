"""The tie between ranks on other nodes and the process that launched them: a connection that neither outlives.

The kernel closes it however its holder ends; where the network or a power cut takes that word away, keepalive probes
find out. A rank that loses its leash is gone at once. What passes along it: who a rank is, the wish that it stops, and
how it left.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import selectors
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from xpshpc.errors import EnvironmentFault, UsageError

LOOPBACK = "127.0.0.1"
LEASH_VARIABLES = ("XPSHPC_LEASH", "XPSHPC_LEASH_TOKEN", "XPSHPC_LEASH_JOB")

_DRAIN, _DIE = b"D", b"K"
_PROBES = ((socket.TCP_KEEPIDLE, 15), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 3))
_CONNECT_S = 30.0
_CANCEL_S = 5.0
_LONGEST_WORD = 1024
_BACKLOG = 4096


def choose_address(interface: str | None, addresses: Mapping[str, str], name_address: str) -> str:
    """The IPv4 address of this host at which ranks reach it; `addresses` are its own by interface.

    Without an interface it is what the host's name stands for. Raises UsageError where the interface is not here, or
    the name stands for the host itself only: no other node could reach that.
    """
    if interface is None:
        if not name_address.startswith("127."):
            return name_address
        what = f"this host's name stands for {name_address}, which no other node reaches"
    elif interface in addresses:
        return addresses[interface]
    else:
        what = f"this host has no network interface {interface!r} with an IPv4 address"
    known = ", ".join(sorted(addresses)) or "none"
    raise UsageError(
        what, where="profile: slurm.interface", try_=f"one of {known}; or start inside a job: xpshpc submit"
    )


def own_address(interface: str | None) -> str:
    """As `choose_address`, for this host as it is."""
    import psutil

    addresses = {
        name: entry.address
        for name, entries in psutil.net_if_addrs().items()
        for entry in entries
        if entry.family == socket.AF_INET
    }
    try:
        name_address = socket.gethostbyname(socket.gethostname())
    except OSError:
        name_address = LOOPBACK
    return choose_address(interface, addresses, name_address)


@dataclass(eq=False)
class HeldRank:
    """A rank that has joined: where it is, its exit code once it has said it, and whether it is gone."""

    rank: int
    host: str
    left: int | None = None
    gone: bool = False


@dataclass(eq=False)
class _Line:
    """One connection, what of a word has come so far, and whose it is."""

    socket: socket.socket
    said: bytes = b""
    held: HeldRank | None = None


@dataclass(eq=False)
class Leashes:
    """The launcher's end of all leashes. `attend` is to be called often; there is no thread.

    Listens on one address only and takes none but who knows the token. Raises EnvironmentFault where it cannot listen.
    """

    address: str
    ranks: dict[int, HeldRank] = field(default_factory=dict)
    _lines: list[_Line] = field(default_factory=list)
    _draining: bool = False

    def __post_init__(self) -> None:
        self._token = secrets.token_hex(16)
        self._selector = selectors.DefaultSelector()
        try:
            self._listener = socket.create_server((self.address, 0), backlog=_BACKLOG)
        except OSError as error:
            raise EnvironmentFault(
                f"cannot listen for ranks: {error.strerror}", where=self.address, try_="profile: slurm.interface"
            ) from error
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)

    @property
    def environment(self) -> dict[str, str]:
        """What a rank has to know in order to join."""
        port = self._listener.getsockname()[1]
        return {"XPSHPC_LEASH": f"{self.address}:{port}", "XPSHPC_LEASH_TOKEN": self._token}

    @property
    def held(self) -> bool:
        """Whether any rank that joined still lives."""
        return any(not rank.gone for rank in self.ranks.values())

    @property
    def anybody(self) -> bool:
        """Whether any process has come, also one that has not yet said which rank it is."""
        return bool(self.ranks or self._lines)

    def attend(self) -> None:
        """Lets in who has come, and hears what ranks have said since. Never waits."""
        for key, _ in self._selector.select(timeout=0):
            if key.data is None:
                self._let_in()
            else:
                self._hear(key.data)

    def drain(self) -> None:
        """Asks all ranks to stop in good order, also those that join later."""
        self._draining = True
        self._tell(_DRAIN)

    def kill(self) -> None:
        """Ends all ranks that have joined, and lets nobody in any more."""
        self._tell(_DIE)
        if self._listener.fileno() >= 0:
            self._selector.unregister(self._listener)
            self._listener.close()

    def kill_one(self, rank: int) -> None:
        """Ends one rank that has joined."""
        for line in self._lines:
            if line.held is not None and line.held.rank == rank:
                _send(line.socket, _DIE)

    def close(self) -> None:
        """Lets go of all leashes, which ends whoever is still there."""
        self.kill()
        for line in [*self._lines]:
            self._forget(line)
        self._selector.close()

    def _let_in(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setblocking(False)
            _probe(connection)
            line = _Line(connection)
            self._lines.append(line)
            self._selector.register(connection, selectors.EVENT_READ, line)

    def _hear(self, line: _Line) -> None:
        try:
            said = line.socket.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        line.said += said
        *words, line.said = line.said.split(b"\n")
        understood = all(self._understand(line, word) for word in words)
        if not said or not understood or len(line.said) > _LONGEST_WORD:
            self._forget(line)

    def _understand(self, line: _Line, word: bytes) -> bool:
        try:
            told = json.loads(word)
            if line.held is not None:
                line.held.left = int(told["left"])
                return True
            if not hmac.compare_digest(str(told["token"]), self._token):
                return False
            line.held = HeldRank(int(told["rank"]), str(told["host"]))
        except (ValueError, KeyError, TypeError):
            return False
        self.ranks[line.held.rank] = line.held
        if self._draining:
            _send(line.socket, _DRAIN)
        return True

    def _forget(self, line: _Line) -> None:
        if line.held is not None:
            line.held.gone = True
        self._lines.remove(line)
        self._selector.unregister(line.socket)
        line.socket.close()

    def _tell(self, word: bytes) -> None:
        for line in self._lines:
            if line.held is not None:
                _send(line.socket, word)


class Leash:
    """A rank's end. From now on this process dies, by SIGKILL, with its launcher; SIGTERM means: stop in good order."""

    def __init__(self, rank: int, environment: Mapping[str, str] = os.environ) -> None:
        host, port = environment["XPSHPC_LEASH"].rsplit(":", 1)
        self._allocation = environment.get("XPSHPC_LEASH_JOB") if environment.get("SLURM_LOCALID") == "0" else None
        try:
            self._socket = socket.create_connection((host, int(port)), timeout=_CONNECT_S)
            self._socket.settimeout(None)
            _probe(self._socket)
            self._say({"token": environment["XPSHPC_LEASH_TOKEN"], "rank": rank, "host": socket.gethostname()})
        except OSError as error:
            raise EnvironmentFault(
                f"rank {rank} cannot reach its launcher: {error}",
                where=f"{socket.gethostname()} -> {host}",
                try_="profile: slurm.interface, a network that joins all nodes",
            ) from error
        threading.Thread(target=self._obey, name="leash", daemon=True).start()

    def leave(self, code: int) -> None:
        """Tells the launcher how this rank ends."""
        try:
            self._say({"left": code})
        except OSError:
            return

    def _say(self, word: Mapping[str, object]) -> None:
        self._socket.sendall(json.dumps(word).encode() + b"\n")

    def _obey(self) -> None:
        while True:
            try:
                word = self._socket.recv(1)
            except OSError:
                word = b""
            if word == _DRAIN:
                os.kill(os.getpid(), signal.SIGTERM)
                continue
            if word == b"" and self._allocation is not None:
                _cancel(self._allocation)
            os.kill(os.getpid(), signal.SIGKILL)


def _cancel(job_name: str) -> None:
    """Gives back an allocation whose srun may be gone with the launcher; SLURM would keep it to its time limit."""
    try:
        subprocess.run(["scancel", "--me", f"--name={job_name}"], timeout=_CANCEL_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return


def _probe(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _PROBES:
        connection.setsockopt(socket.IPPROTO_TCP, option, value)


def _send(connection: socket.socket, word: bytes) -> None:
    try:
        connection.send(word)
    except OSError:
        return
