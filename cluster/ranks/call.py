"""A rank's end of the line to the process that launched it: it calls, says who it is, and speaks in lines of JSON."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping

from xpshpc.cluster.ranks.listener import keep_alive
from xpshpc.errors import EnvironmentFault

_CONNECT_S = 30.0


def call_launcher(environment: Mapping[str, str], name: str, introduction: Mapping[str, object]) -> socket.socket:
    """The line to the Listener that the variables of this name tell of; the introduction goes out with its token.

    Raises EnvironmentFault where nobody answers.
    """
    host, port = environment[name].rsplit(":", 1)
    try:
        line = socket.create_connection((host, int(port)), timeout=_CONNECT_S)
        line.settimeout(None)
        keep_alive(line)
        say(line, {"token": environment[f"{name}_TOKEN"], **introduction})
    except OSError as error:
        raise EnvironmentFault(
            f"a rank cannot reach its launcher: {error}",
            where=f"{socket.gethostname()} -> {host}",
            try_="profile: slurm.interface, a network that joins all nodes",
        ) from error
    return line


def say(line: socket.socket, word: Mapping[str, object]) -> None:
    """Sends one word, whole. Raises OSError where the launcher is gone."""
    line.sendall(json.dumps(word).encode() + b"\n")
