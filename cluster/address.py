"""The address at which the nodes of a cluster can reach this host."""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import Any

import psutil

from xpshpc.cluster.command import ask

_CONTROLLER = re.compile(r"^SlurmctldHost\[0\]\s*=\s*([^\s(]+)(?:\(([^\s)]+)\))?", re.MULTILINE)
_ANSWER_S = 20.0
_ANY_PORT = 9


def own_address(interface: str | None) -> str:
    """The address of this network interface; where it is not set or not here, the one that faces SLURM's controller.

    A login node and the nodes reach the controller over the same network, whatever its interfaces are called on each.
    """
    if interface is not None:
        for address in psutil.net_if_addrs().get(interface, []):
            if address.family is socket.AF_INET:
                return str(address.address)
    answer = ask(["scontrol", "show", "config"], timeout_s=_ANSWER_S)
    return _facing(_controller(answer.output) or socket.gethostname())


def is_loopback(address: str) -> bool:
    """Whether only processes of this host can reach the address."""
    return ipaddress.ip_address(address).is_loopback


def _controller(configuration: str) -> str | None:
    found = _CONTROLLER.search(configuration)
    return None if found is None else found[2] or found[1]


def _facing(host: str) -> str:
    """Our address on the way to a host; a UDP socket is told its way without sending anything."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        try:
            way.connect((host, _ANY_PORT))
        except OSError:
            return socket.gethostbyname(socket.gethostname())
        name: tuple[Any, ...] = way.getsockname()
    return str(name[0])
