"""A member's end of an elastic gang: it waits for a group, works in it, and comes back when the group has changed."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from xpshpc.cluster.ranks.call import call_launcher, say
from xpshpc.cluster.ranks.rank import launched_rank
from xpshpc.errors import EnvironmentFault

_POLL_S = 0.1


@dataclass(frozen=True)
class Regrouping:
    """A group to be joined: its generation, its size, and the seats of ranks lost and taken in since the one before."""

    generation: int
    ranks: int
    lost: tuple[int, ...]
    joined: tuple[int, ...]


class Membership:
    """This process's line to its launcher. Raises EnvironmentFault where there is nobody to call."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self.seat = launched_rank(environment)
        # A GPU is taken once, before the first group: by the place on the host in which this process was started.
        self.local_rank = int(environment.get("SLURM_LOCALID", self.seat))
        self._pausing = threading.Event()
        self._broken = threading.Event()
        self._cut: Callable[[], None] | None = None
        self._words: queue.Queue[Mapping[str, Any] | None] = queue.Queue()
        host = environment.get("SLURMD_NODENAME") or socket.gethostname()
        self._line = call_launcher(environment, "XPSHPC_ROSTER", {"seat": self.seat, "host": host})
        threading.Thread(target=self._listen, name="membership", daemon=True).start()

    @property
    def pausing(self) -> bool:
        """Whether the present group is to stop at its next step, because it will be formed anew."""
        return self._pausing.is_set()

    def next_group(self, steps: int, should_stop: Callable[[], bool]) -> Regrouping | None:
        """Waits for a group and sets the environment for joining it; `steps` of the work are held here (-1: none).

        None when there will be no other group, or this process is asked to stop. Raises EnvironmentFault when the
        launcher is gone.
        """
        say(self._line, {"waits": steps})
        while True:
            try:
                word = self._words.get(timeout=_POLL_S)
            except queue.Empty:
                if should_stop():
                    return None
                continue
            if word is None:
                raise EnvironmentFault("the launcher of this rank is gone", try_="the same command again")
            if "over" in word:
                return None
            os.environ.update(word["place"])
            if word["stop"]:
                os.kill(os.getpid(), signal.SIGTERM)
            return Regrouping(word["group"], word["ranks"], tuple(word["lost"]), tuple(word["joined"]))

    def watch(self, cut: Callable[[], None]) -> None:
        """Has `cut` called, by another thread, as soon as the launcher knows that a rank of the group is gone."""
        self._cut = cut
        if self._broken.is_set():
            cut()

    def _listen(self) -> None:
        with self._line.makefile("rb") as lines:
            try:
                for line in lines:
                    self._obey(json.loads(line))
            except OSError:
                pass
        self._words.put(None)

    def _obey(self, word: Mapping[str, Any]) -> None:
        if "pause" in word:
            self._pausing.set()
        elif "broken" in word:
            self._broken.set()
            if self._cut is not None:
                self._cut()
        else:
            self._cut = None
            self._pausing.clear()
            self._broken.clear()
            self._words.put(word)
