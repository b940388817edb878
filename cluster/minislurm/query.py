"""Questions to a cluster's controller."""

from __future__ import annotations

import os
from collections.abc import Collection

from xpshpc.cluster.command import Answer, ask
from xpshpc.cluster.minislurm.daemon import stray_variables
from xpshpc.cluster.minislurm.record import Record
from xpshpc.cluster.minislurm.services import client_environment
from xpshpc.cluster.minislurm.status import parse_nodes, parse_start
from xpshpc.errors import EnvironmentFault

QUERY_TIMEOUT_S = 30
GIVEN_UP = ("down", "drained", "draining", "drain", "fail")


def ask_slurm(record: Record, *command: str, timeout_s: float = QUERY_TIMEOUT_S) -> Answer:
    """Runs a command beside the nodes, with this cluster as its SLURM whatever this process's own is."""
    unset = [f"--unset={name}" for name in stray_variables(os.environ)]
    settings = [f"{name}={text}" for name, text in client_environment(record.layout).items()]
    return ask(["env", *unset, *settings, *command], timeout_s=timeout_s)


def ask_nodes(record: Record) -> Answer:
    """Name, state and reason of every node."""
    partition = f"--partition={record.plan.default_partition}"
    return ask_slurm(record, "sinfo", "--noheader", "--Node", partition, "--format=%N|%T|%E")


def node_states(record: Record, nodes: Collection[str]) -> dict[str, str]:
    """The state of these nodes by SLURM's words, such as `idle` or `down*`; empty if nobody answers."""
    answer = ask_nodes(record)
    found = parse_nodes(answer.output, ()) if answer.ok else ()
    return {node.name: node.state for node in found if node.name in nodes}


def resume_node(record: Record, node: str, state: str) -> None:
    """Lets SLURM use a node again that it has given up, and has it ask a silent one (its state has a star) at once."""
    if state.rstrip("*") in GIVEN_UP:
        ask_slurm(record, "scontrol", "update", f"NodeName={node}", "State=RESUME")


def retire_node(record: Record, node: str) -> None:
    """Tells SLURM that a node is down, as an operator does before booting it: its jobs end or go elsewhere.

    A node that boots unasked is otherwise given up, sooner or later. Raises EnvironmentFault if nobody answers.
    """
    answer = ask_slurm(record, "scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=boots again")
    if not answer.ok:
        raise EnvironmentFault(f"SLURM was not told that {node} is down: {answer.last_words()}", where=node)


def node_start(record: Record, node: str) -> str:
    """When a node's slurmd has last started, as SLURM knows, to the second; empty if it does not."""
    answer = ask_slurm(record, "scontrol", "show", "node", node)
    return parse_start(answer.output) if answer.ok else ""
