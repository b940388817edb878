"""A gang that outlives its losses: who works together next, and that real processes do so."""

import json
import os
import signal
import socket
import threading
import time
from pathlib import Path

import psutil
import pytest

from xpshpc.cluster.ranks.elastic import RanksLost, check_elastic, run_elastic_gang
from xpshpc.cluster.ranks.elastic_group import (
    Elasticity,
    Group,
    Member,
    Move,
    Standing,
    form_group,
    group_size,
    horovod_places,
    next_move,
)
from xpshpc.cluster.ranks.elastic_roster import Roster
from xpshpc.errors import Drained, UsageError

HERE = Path(__file__).parent
COMING, NEW = Member(Standing.COMING), Member(Standing.WAITING)
WORKING, BACK = Member(Standing.WORKING, 5), Member(Standing.WAITING, 5)
USUAL = Elasticity(min_ranks=2, replace=True, losses=3, divides=48)
OF_THREE = Group(1, (0, 1, 2))


@pytest.mark.parametrize(
    ("members", "group", "move"),
    [
        ({0: NEW, 1: COMING, 2: NEW}, None, Move.NOTHING),  # the first group waits for all
        ({0: NEW, 1: NEW, 2: NEW}, None, Move.FORM),
        ({0: WORKING, 1: WORKING, 2: WORKING}, OF_THREE, Move.NOTHING),
        ({0: WORKING, 1: COMING, 2: WORKING}, OF_THREE, Move.BREAK),
        ({0: WORKING, 2: WORKING}, OF_THREE, Move.BREAK),
        ({0: WORKING, 1: BACK, 2: WORKING}, OF_THREE, Move.BREAK),
        ({0: BACK, 1: COMING, 2: BACK}, OF_THREE, Move.FORM),  # nobody waits for a newcomer
        ({0: BACK, 1: COMING, 2: COMING}, OF_THREE, Move.TOO_FEW),
        ({0: NEW, 1: COMING, 2: COMING}, OF_THREE, Move.NOTHING),  # nobody has anything to go on with
        ({0: WORKING, 1: COMING, 2: WORKING}, Group(2, (0, 2)), Move.NOTHING),
        ({0: WORKING, 1: NEW, 2: WORKING}, Group(2, (0, 2)), Move.PAUSE),
        ({}, OF_THREE, Move.TOO_FEW),
    ],
)
def test_what_is_done_next(members, group, move):
    assert next_move(members, group, USUAL, 3) is move


def test_a_spare_rank_that_could_not_share_the_batch_disturbs_nobody():
    four = Group(1, (0, 1, 2, 3))
    members = {**dict.fromkeys(range(4), WORKING), 4: NEW}
    assert next_move(members, four, USUAL, 6) is Move.NOTHING
    assert next_move({**members, 5: NEW}, four, USUAL, 6) is Move.PAUSE


@pytest.mark.parametrize(("present", "wanted", "size"), [(5, 6, 4), (6, 4, 4), (3, 3, 3), (1, 8, 1), (0, 3, 0)])
def test_a_group_is_the_largest_that_shares_the_batch_evenly(present, wanted, size):
    assert group_size(present, wanted, 48) == size


def test_who_holds_the_most_leads_and_newcomers_follow():
    members = {0: Member(Standing.WAITING, 7), 1: NEW, 2: Member(Standing.WAITING, 8), 3: COMING}
    assert form_group(members, OF_THREE, 3, 48) == Group(2, (2, 0, 1))


def test_every_rank_finds_its_place_on_its_host_and_across_hosts():
    places = horovod_places(["a", "b", "a", "a", "b"])
    words = ("RANK", "LOCAL_RANK", "LOCAL_SIZE", "CROSS_RANK", "CROSS_SIZE")
    assert [tuple(int(place[f"HOROVOD_{word}"]) for word in words) for place in places] == [
        (0, 0, 3, 0, 2),
        (1, 0, 2, 1, 2),
        (2, 1, 3, 0, 2),
        (3, 2, 3, 0, 1),
        (4, 1, 2, 1, 2),
    ]


@pytest.mark.parametrize("launcher", ["mpirun", "srun-pmix"])
def test_launchers_that_end_all_ranks_together_are_refused(launcher):
    with pytest.raises(UsageError, match="end together"):
        check_elastic(launcher, 2, 1)


def test_fewer_ranks_than_may_be_left_are_refused():
    with pytest.raises(UsageError, match="fewer than the 3"):
        check_elastic("gloo", 2, 3)


@pytest.mark.parametrize(
    "said", [b'{"token": "wrong", "seat": 0, "host": "h"}\n{"waits": 1}\n', b"GET / HTTP/1.1\n", b"x" * 9000, b"[]\n"]
)
def test_a_stranger_is_hung_up_on(said):
    roster = Roster("127.0.0.1")
    host, port = roster.environment["XPSHPC_ROSTER"].split(":")
    with socket.create_connection((host, int(port)), timeout=10) as stranger:
        stranger.sendall(said)
        stranger.setblocking(False)
        deadline = time.monotonic() + 10
        while True:
            assert roster.hear() == []
            try:
                assert stranger.recv(1) == b""
                break
            except BlockingIOError:
                assert time.monotonic() < deadline
            except ConnectionResetError:
                break
    roster.close()


class Gang:
    """A gang of real processes in another thread's hands, and what is seen of it."""

    def __init__(self, folder, *, ranks=3, min_ranks=1, replace=False, losses=10, divides=48):
        self.folder, self.raised = folder, None
        self._options = {"ranks": ranks, "elasticity": Elasticity(min_ranks, replace, losses, divides)}
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            run_elastic_gang(
                "elastic_rank",
                [str(self.folder)],
                log_directory=self.folder / "logs",
                environment={"PYTHONPATH": str(HERE)},
                **self._options,
            )
        except Exception as error:  # noqa: BLE001 - looked at by the test
            self.raised = error

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        (self.folder / "finish").touch()
        self._thread.join(60)
        assert not self._thread.is_alive()
        assert not [pid for pid in self.pids() if psutil.pid_exists(pid)]

    def pids(self):
        return [json.loads(path.read_text())["pid"] for path in self.folder.glob("*-*.json")]

    def group(self, generation, ranks):
        """What the members of a group were told, by seat, once all of them are in it."""
        wait_for(lambda: len([*self.folder.glob(f"{generation}-*.json")]) == ranks)
        paths = self.folder.glob(f"{generation}-*.json")
        told = {int(path.stem.split("-")[1]): json.loads(path.read_text()) for path in paths}
        assert {each["ranks"] for each in told.values()} == {ranks}
        return told

    def kill(self, generation, ranks, *seats):
        told = self.group(generation, ranks)
        # Held still first, they are all gone at once.
        for word in (signal.SIGSTOP, signal.SIGKILL):
            for seat in seats:
                os.kill(told[seat]["pid"], word)


def wait_for(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.02)


@pytest.mark.faults
def test_a_lost_rank_is_replaced_and_learns_from_those_who_stayed(tmp_path):
    with Gang(tmp_path, replace=True) as gang:
        gang.kill(1, 3, 0)
        smaller = gang.group(2, 2)
        assert sorted(smaller) == [1, 2] and smaller[1]["lost"] == [0] and smaller[1]["joined"] == []
        whole = gang.group(3, 3)
        assert whole[0]["lost"] == [] and whole[0]["joined"] == [0]
        assert whole[0]["steps"] == -1 and whole[0]["HOROVOD_RANK"] == "2"
    assert gang.raised is None


@pytest.mark.faults
def test_without_replacement_the_rest_goes_on_and_who_cannot_share_the_batch_stands_by(tmp_path):
    with Gang(tmp_path, ranks=4, divides=4) as gang:
        gang.kill(1, 4, 3)
        two = gang.group(2, 2)
        assert {each["HOROVOD_SIZE"] for each in two.values()} == {"2"}
        gang.kill(2, 2, min(two))
        assert 2 in gang.group(3, 2)
    assert gang.raised is None


@pytest.mark.faults
@pytest.mark.parametrize(
    ("limits", "words"),
    [({"min_ranks": 3}, "2 of 3 ranks are left"), ({"losses": 0}, "more than train.elastic.losses")],
)
def test_with_too_few_left_the_rest_writes_down_what_it_has_and_ends(limits, words, tmp_path):
    with Gang(tmp_path, **limits) as gang:
        gang.kill(1, 3, 1)
        gang._thread.join(30)
        assert isinstance(gang.raised, RanksLost) and words in gang.raised.what
        assert {path.name for path in tmp_path.glob("saved-*")} == {"saved-0", "saved-2"}


@pytest.mark.faults
def test_all_lost_at_once_are_all_replaced(tmp_path):
    with Gang(tmp_path, replace=True, min_ranks=3) as gang:
        gang.kill(1, 3, 0, 1, 2)
        assert {each["steps"] for each in gang.group(2, 3).values()} == {-1}
    assert gang.raised is None


@pytest.mark.faults
def test_an_error_that_a_rank_explains_is_no_loss_and_ends_the_gang(tmp_path):
    with Gang(tmp_path, replace=True) as gang:
        gang.group(1, 3)
        (tmp_path / "fail-1").touch()
        gang._thread.join(30)
        assert isinstance(gang.raised, UsageError) and gang.raised.where == "spectrum 7"


@pytest.mark.faults
def test_one_rank_that_is_asked_to_stop_stops_all(tmp_path):
    with Gang(tmp_path, replace=True) as gang:
        os.kill(gang.group(1, 3)[1]["pid"], signal.SIGTERM)
        gang._thread.join(30)
        assert isinstance(gang.raised, Drained)
