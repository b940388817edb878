"""TCP ports that nobody uses: held until the moment the daemons take them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from random import Random

from xpshpc.errors import EnvironmentFault

FIRST, LAST = 20000, 32000
"""Below the ports from which Linux serves outgoing connections: none of these takes ours away."""
TRIES = 2000


@contextmanager
def held_ports(count: int, address: str, random: Random) -> Iterator[tuple[int, ...]]:
    """Ports of this address that are free, and stay so within the context; raises EnvironmentFault."""
    ports: list[int] = []
    with ExitStack() as held:
        for _ in range(TRIES):
            if len(ports) == count:
                break
            trial = socket.socket()
            port = random.randrange(FIRST, LAST)
            try:
                trial.bind((address, port))
            except OSError:
                trial.close()
                continue
            held.enter_context(trial)
            ports.append(port)
        else:
            raise EnvironmentFault(
                f"fewer than {count} of the ports {FIRST}-{LAST} are free", where=address, try_="ss --tcp --listening"
            )
        yield tuple(ports)
