"""The tie between ranks on other nodes and the process that launched them: a connection that neither outlives.

The kernel closes it however its holder ends; where the network or a power cut takes that word away, keepalive probes
find out. A rank that loses its leash is gone at once. What passes along it: who a rank is, the wish that it stops, and
how it left.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xpshpc.cluster.ranks.call import call_launcher, say
from xpshpc.cluster.ranks.listener import NONSENSE, Line, Listener

LEASH_VARIABLES = ("XPSHPC_LEASH", "XPSHPC_LEASH_TOKEN", "XPSHPC_LEASH_JOB")

_DRAIN, _DIE = b"D", b"K"
_CANCEL_S = 5.0


@dataclass(eq=False)
class HeldRank:
    """A rank that has joined: where it is, its line, and its exit code once it has said it."""

    rank: int
    host: str
    line: Line
    left: int | None = None

    @property
    def gone(self) -> bool:
        return not self.line.is_open


class Leashes:
    """The launcher's end of all leashes. `attend` is to be called often; there is no thread.

    Listens on one address only and takes none but who knows the token. Raises EnvironmentFault where it cannot listen.
    """

    def __init__(self, address: str) -> None:
        self.ranks: dict[int, HeldRank] = {}
        self._listener = Listener(address)
        self._held: dict[Line, HeldRank] = {}
        self._draining = False

    @property
    def environment(self) -> dict[str, str]:
        """What a rank has to know in order to join."""
        return self._listener.environment("XPSHPC_LEASH")

    @property
    def held(self) -> bool:
        """Whether any rank that joined still lives."""
        return any(not rank.gone for rank in self.ranks.values())

    @property
    def anybody(self) -> bool:
        """Whether any process has come, also one that has not yet said which rank it is."""
        return bool(self.ranks) or self._listener.anybody

    def attend(self) -> None:
        """Lets in who has come, and hears what ranks have said since. Never waits."""
        for line, told in self._listener.hear():
            try:
                self._understand(line, told)
            except NONSENSE:
                self._listener.hang_up(line)

    def drain(self) -> None:
        """Asks all ranks to stop in good order, also those that join later."""
        self._draining = True
        self._tell(_DRAIN)

    def kill(self) -> None:
        """Ends all ranks that have joined, and lets nobody in any more."""
        self._tell(_DIE)
        self._listener.shut()

    def kill_one(self, rank: int) -> None:
        """Ends one rank that has joined."""
        for line, held in self._held.items():
            if held.rank == rank:
                line.tell(_DIE)

    def close(self) -> None:
        """Lets go of all leashes, which ends whoever is still there."""
        self.kill()
        self._listener.close()

    def _understand(self, line: Line, told: Mapping[str, Any]) -> None:
        if line in self._held:
            self._held[line].left = int(told["left"])
            return
        held = HeldRank(int(told["rank"]), str(told["host"]), line)
        self._held[line] = self.ranks[held.rank] = held
        if self._draining:
            line.tell(_DRAIN)

    def _tell(self, word: bytes) -> None:
        for line in self._held:
            line.tell(word)


class Leash:
    """A rank's end. From now on this process dies, by SIGKILL, with its launcher; SIGTERM means: stop in good order.

    Raises EnvironmentFault where there is no launcher to be reached.
    """

    def __init__(self, rank: int, environment: Mapping[str, str] = os.environ) -> None:
        self._allocation = environment.get("XPSHPC_LEASH_JOB") if environment.get("SLURM_LOCALID") == "0" else None
        self._line = call_launcher(environment, "XPSHPC_LEASH", {"rank": rank, "host": socket.gethostname()})
        threading.Thread(target=self._obey, name="leash", daemon=True).start()

    def leave(self, code: int) -> None:
        """Tells the launcher how this rank ends."""
        try:
            say(self._line, {"left": code})
        except OSError:
            return

    def _obey(self) -> None:
        while True:
            try:
                word = self._line.recv(1)
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
