"""An elastic gang as its launcher sees it: what is known of its members, and the effects of what is decided on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from xpshpc.cluster.ranks.elastic_group import (
    Elasticity,
    Group,
    Member,
    Move,
    Standing,
    form_group,
    horovod_places,
    next_move,
)
from xpshpc.cluster.ranks.elastic_roster import Roster
from xpshpc.cluster.ranks.elastic_seats import Seats
from xpshpc.cluster.ranks.rendezvous import open_rendezvous
from xpshpc.cluster.ranks.srun import gloo_meeting
from xpshpc.errors import ExitCode

_PATIENCE_S = 120.0
_GLOO_TIMEOUT_S = 60


@dataclass(eq=False)
class ElasticGang:
    """Processes in seats, and groups of them.

    `failed` are the exit codes of ranks that ended otherwise than by a loss, `given_up` tells why the rest was asked to
    stop, `finished` that a rank has worked to the end.
    """

    wanted: int
    elasticity: Elasticity
    seats: Seats
    roster: Roster
    interface: str | None
    clock: Callable[[], float]
    failed: dict[int, int] = field(default_factory=dict)
    given_up: str | None = None
    finished: bool = False
    _members: dict[int, Member] = field(default_factory=dict)
    _hosts: dict[int, str] = field(default_factory=dict)
    _group: Group | None = None
    _lost: list[int] = field(default_factory=list)
    _lost_in_all: int = 0
    _told: Move = Move.NOTHING
    _overdue_at: float | None = None
    _draining: bool = False
    _rendezvous: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self._members = {seat: Member(Standing.COMING) for seat in range(self.wanted)}

    def attend(self) -> bool:
        """Does what is to be done next. False when all is over."""
        for call in self.roster.hear():
            if call.seat in self._members:
                self._members[call.seat] = Member(Standing.WAITING, call.steps)
                self._hosts[call.seat] = call.host
        for seat, code in self.seats.ended().items():
            self._see_off(seat, code)
        if self.failed:
            return False
        if self.finished:
            self._send_home()
        elif not self._draining:
            self._regroup()
        self._end_overdue()
        return self.seats.running()

    def drain(self) -> None:
        """Asks all ranks to stop in good order."""
        self._draining = True
        self.seats.drain()

    def close(self) -> None:
        self._rendezvous.close()

    def _see_off(self, seat: int, code: int) -> None:
        member = self._members.pop(seat, None)
        self.roster.forget(seat)
        if code == 0:
            # Who waited was sent home; who worked has done so to the end.
            self.finished |= member is not None and member.standing is Standing.WORKING
        elif code == ExitCode.DRAINED:
            # Whoever asked one of them to stop meant all of them.
            if not self._draining:
                self.drain()
        elif code > 0:
            self.failed[seat] = code
        elif not self.finished:
            self._lost.append(seat)
            self._lost_in_all += 1

    def _regroup(self) -> None:
        if self._lost_in_all > self.elasticity.losses:
            self._give_up(f"{self._lost_in_all} ranks were lost, more than train.elastic.losses allows")
            return
        if self.elasticity.replace:
            empty = [seat for seat in range(self.wanted) if seat not in self._members]
            if empty:
                self._members |= dict.fromkeys(empty, Member(Standing.COMING))
                self.seats.start(empty)
        move = next_move(self._members, self._group, self.elasticity, self.wanted)
        if move is Move.FORM:
            self._form()
        elif move is Move.TOO_FEW:
            left = sum(member.standing is Standing.WAITING for member in self._members.values())
            least = self.elasticity.min_ranks
            self._give_up(f"{left} of {self.wanted} ranks are left, train.elastic.min_ranks asks for {least}")
        elif move is not self._told and move is not Move.NOTHING:
            self._tell_group({"broken" if move is Move.BREAK else "pause": True})
            self._told = move
            self._overdue_at = self.clock() + _PATIENCE_S if move is Move.BREAK else None

    def _form(self, *, stop: bool = False) -> None:
        before = self._group.seats if self._group else ()
        group = form_group(self._members, self._group, self.wanted, self.elasticity.divides)
        joined = [seat for seat in group.seats if seat in self._lost or (before and seat not in before)]
        self._rendezvous.close()
        port = self._rendezvous.enter_context(open_rendezvous(self.roster.address))
        meeting = gloo_meeting(self.roster.address, port, self.interface)
        places = horovod_places([self._hosts[seat] for seat in group.seats])
        for seat, place in zip(group.seats, places, strict=True):
            word = {
                "group": group.generation,
                "ranks": len(group.seats),
                "lost": self._lost,
                "joined": joined,
                "stop": stop,
                "place": {**meeting, **place, "HOROVOD_GLOO_TIMEOUT_SECONDS": str(_GLOO_TIMEOUT_S)},
            }
            self._members[seat] = replace(self._members[seat], standing=Standing.WORKING)
            self.roster.tell(seat, word)
        self._group, self._lost, self._told, self._overdue_at = group, [], Move.NOTHING, None

    def _give_up(self, why: str) -> None:
        """Lets those who are left write down what they hold: they form a last group, which is asked to stop at once."""
        self.given_up = self.given_up or why
        working = [seat for seat, member in self._members.items() if member.standing is Standing.WORKING]
        waiting = [seat for seat, member in self._members.items() if member.standing is Standing.WAITING]
        if working:
            if self._told is not Move.BREAK:
                self._tell_group({"broken": True})
                self._told, self._overdue_at = Move.BREAK, self.clock() + _PATIENCE_S
            return
        if any(self._members[seat].steps >= 0 for seat in waiting):
            self._form(stop=True)
        self._send_home()
        self._draining = True

    def _send_home(self) -> None:
        """Ends those who are not needed any more, and gives those who still work the time to end by themselves."""
        for seat, member in self._members.items():
            if member.standing is Standing.WAITING:
                self.roster.tell(seat, {"over": True})
            elif member.standing is Standing.COMING:
                self.seats.kill(seat)
        if self._overdue_at is None:
            self._overdue_at = self.clock() + _PATIENCE_S

    def _end_overdue(self) -> None:
        """Ends ranks that were told that their group is over and did not come back."""
        if self._overdue_at is None or self.clock() < self._overdue_at:
            return
        self._overdue_at = None
        for seat, member in self._members.items():
            if member.standing is Standing.WORKING:
                self.seats.kill(seat)

    def _tell_group(self, word: Mapping[str, object]) -> None:
        assert self._group is not None
        for seat in self._group.seats:
            member = self._members.get(seat)
            if member is not None and member.standing is Standing.WORKING:
                self.roster.tell(seat, word)
