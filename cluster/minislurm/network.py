"""A network of its own for the nodes of one cluster: namespaces, a bridge, and a link for each node."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from xpshpc.cluster.command import Answer, ask
from xpshpc.cluster.minislurm.requirements import search_path
from xpshpc.errors import EnvironmentFault

NAMESPACES = Path("/run/netns")
LINK_INSIDE = "eth0"
TRIES = 50
_TIMEOUT_S = 20


@dataclass(frozen=True)
class Network:
    """The subnet 10.x.y.0/24, this host being .1 in it and the nodes .11, .12, …; all names come from x and y."""

    x: int
    y: int
    nodes: tuple[str, ...]

    @property
    def address(self) -> str:
        return f"10.{self.x}.{self.y}.1"

    @property
    def bridge(self) -> str:
        return f"mini{self.x}-{self.y}"

    def node_address(self, node: str) -> str:
        return f"10.{self.x}.{self.y}.{11 + self.nodes.index(node)}"

    def link(self, node: str) -> str:
        return f"mini{self.x}-{self.y}n{1 + self.nodes.index(node)}"

    def namespace(self, node: str) -> str:
        return f"mini{self.x}-{self.y}-{node}"

    def namespace_file(self, node: str) -> Path:
        return NAMESPACES / self.namespace(node)


def candidates(nodes: Sequence[str], taken: Sequence[str], random: Random) -> Iterator[Network]:
    """Subnets that no route of this host (`taken`, as `ip route` names them) touches, in random order."""
    routes = [ipaddress.ip_network(route, strict=False) for route in taken]
    for _ in range(TRIES):
        network = Network(random.randrange(1, 255), random.randrange(0, 255), tuple(nodes))
        subnet = ipaddress.ip_network(f"{network.address}/24", strict=False)
        if not any(subnet.overlaps(route) for route in routes):
            yield network


def claim_network(nodes: Sequence[str], random: Random) -> Network:
    """Takes a free subnet by making its bridge, which succeeds for one caller only; raises EnvironmentFault."""
    said = "no subnet of 10.0.0.0/8 is free"
    for network in candidates(nodes, _routes(), random):
        answer = _ip("link", "add", network.bridge, "type", "bridge")
        if answer.ok:
            return network
        said = answer.last_words()
        if "exists" not in said:
            break
    raise EnvironmentFault(f"cannot make a bridge for the nodes: {said}", where="isolation net", try_="--isolation pid")


def build_network(network: Network) -> None:
    """Gives the bridge its address and every node a namespace with a link; raises EnvironmentFault."""
    bridge = network.bridge
    _must("address", "add", f"{network.address}/24", "dev", bridge)
    _must("link", "set", bridge, "up")
    for node in network.nodes:
        space, link = network.namespace(node), network.link(node)
        _must("netns", "add", space)
        _must("link", "add", link, "type", "veth", "peer", "name", LINK_INSIDE, "netns", space)
        _must("link", "set", link, "master", bridge, "up")
        _must("-n", space, "address", "add", f"{network.node_address(node)}/24", "dev", LINK_INSIDE)
        _must("-n", space, "link", "set", LINK_INSIDE, "up")
        _must("-n", space, "link", "set", "lo", "up")
        _must("-n", space, "route", "add", "default", "via", network.address)


def set_link(network: Network, node: str, state: str) -> None:
    """Cuts a node from all others and from this host (`down`), or joins it again (`up`); raises EnvironmentFault."""
    _must("link", "set", network.link(node), state)


def remove_network(network: Network) -> None:
    """Removes whatever of the network is there; the links go with their namespaces."""
    for node in network.nodes:
        if network.namespace_file(node).exists():
            _ip("netns", "delete", network.namespace(node))
        if Path("/sys/class/net", network.link(node)).exists():
            _ip("link", "delete", network.link(node))
    if Path("/sys/class/net", network.bridge).exists():
        _ip("link", "delete", network.bridge)


def _routes() -> list[str]:
    answer = _ip("-json", "-4", "route", "show", "table", "all")
    told = json.loads(answer.output) if answer.ok and answer.output.strip() else []
    return [route["dst"] for route in told if route["dst"] != "default" and route["dst"] != "0.0.0.0/0"]


def _ip(*arguments: str) -> Answer:
    return ask(["ip", *arguments], timeout_s=_TIMEOUT_S, environment={"PATH": search_path()})


def _must(*arguments: str) -> None:
    answer = _ip(*arguments)
    if not answer.ok:
        raise EnvironmentFault(
            f"ip {' '.join(arguments)}: {answer.last_words()}", where="isolation net", try_="--isolation pid"
        )
