"""The address of this host at which its ranks call it: by the profile's interface, or by the host's name."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from xpshpc.errors import UsageError

LOOPBACK = "127.0.0.1"


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
