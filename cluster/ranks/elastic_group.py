"""Who of a gang that outlives its losses works together: decided from what is known of its members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum


class Standing(Enum):
    """COMING: started, has not called yet. WAITING: ready for a group. WORKING: in the present one."""

    COMING = "coming"
    WAITING = "waiting"
    WORKING = "working"


@dataclass(frozen=True)
class Member:
    """A process of the gang: where it stands, and how many steps of the work it holds in memory (-1: none)."""

    standing: Standing
    steps: int = -1


@dataclass(frozen=True)
class Group:
    """Members that work together; the first is rank 0. Generations are counted from 1."""

    generation: int
    seats: tuple[int, ...]


@dataclass(frozen=True)
class Elasticity:
    """How far a gang may shrink, whether it is filled up again, and how many ranks it may lose in all.

    The number of ranks in a group divides `divides`, so that they share a batch of that size evenly.
    """

    min_ranks: int
    replace: bool
    losses: int
    divides: int


class Move(Enum):
    """What is to be done next."""

    NOTHING = "nothing"
    BREAK = "break"
    """A rank of the group has left it: the others are told, so that none waits for it."""
    PAUSE = "pause"
    """More ranks could share the work: the group is asked to stop at the next step."""
    FORM = "form"
    TOO_FEW = "too few"


def next_move(members: Mapping[int, Member], group: Group | None, elasticity: Elasticity, wanted: int) -> Move:
    """What to do with a gang of which `wanted` ranks were asked for.

    A group whose members hold nothing yet waits for all who are on their way; otherwise those who are there go on.
    """
    working = [seat for seat, member in members.items() if member.standing is Standing.WORKING]
    waiting = [seat for seat, member in members.items() if member.standing is Standing.WAITING]
    if working:
        if group is None or len(working) < len(group.seats):
            return Move.BREAK
        more = group_size(len(working) + len(waiting), wanted, elasticity.divides)
        return Move.PAUSE if more > len(working) else Move.NOTHING
    coming = len(members) - len(waiting)
    if coming and (group is None or all(members[seat].steps < 0 for seat in waiting)):
        return Move.NOTHING
    return Move.FORM if len(waiting) >= elasticity.min_ranks else Move.TOO_FEW


def group_size(present: int, wanted: int, divides: int) -> int:
    """The largest number of ranks, of those present and no more than wanted, that divides the batch."""
    return next((size for size in range(min(present, wanted), 0, -1) if divides % size == 0), 0)


def form_group(members: Mapping[int, Member], before: Group | None, wanted: int, divides: int) -> Group:
    """The group of those who wait; who holds the most of the work is its first rank, for the others learn from it."""
    waiting = [seat for seat, member in members.items() if member.standing is Standing.WAITING]
    ordered = sorted(waiting, key=lambda seat: (-members[seat].steps, seat))
    size = group_size(len(ordered), wanted, divides)
    return Group(before.generation + 1 if before else 1, tuple(ordered[:size]))


def horovod_places(hosts: Sequence[str]) -> list[dict[str, str]]:
    """Horovod's variables for the ranks of a group, given each rank's host."""
    local = [hosts[:rank].count(host) for rank, host in enumerate(hosts)]
    return [
        {
            "HOROVOD_HOSTNAME": host,
            "HOROVOD_RANK": str(rank),
            "HOROVOD_SIZE": str(len(hosts)),
            "HOROVOD_LOCAL_RANK": str(local[rank]),
            "HOROVOD_LOCAL_SIZE": str(hosts.count(host)),
            "HOROVOD_CROSS_RANK": str(local[:rank].count(local[rank])),
            "HOROVOD_CROSS_SIZE": str(local.count(local[rank])),
        }
        for rank, host in enumerate(hosts)
    ]
