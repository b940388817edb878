"""A rank and its launcher do not outlive each other, and nobody else gets in."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time

import pytest

from xpshpc.cluster.ranks.leash import Leashes
from xpshpc.errors import EnvironmentFault

RANK = """
import signal, sys, time
from xpshpc.cluster.ranks.leash import Leash
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(True))
leash = Leash(int(sys.argv[1]))
while not asked:
    time.sleep(0.01)
leash.leave(75)
sys.exit(75)
"""


@pytest.fixture
def leashes():
    held = Leashes("127.0.0.1")
    yield held
    held.close()


def start_rank(leashes: Leashes, rank: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", RANK, str(rank)], env=leashes.environment)
    wait_for(leashes, lambda: rank in leashes.ranks)
    return process


def wait_for(leashes: Leashes, condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        leashes.attend()
        time.sleep(0.01)


def test_a_rank_dies_when_its_launcher_lets_go(leashes):
    process = start_rank(leashes, 0)
    leashes.close()
    assert process.wait(10) == -signal.SIGKILL


def test_a_killed_rank_is_missed_and_one_that_leaves_says_how(leashes):
    first, second = start_rank(leashes, 0), start_rank(leashes, 1)
    first.kill()
    wait_for(leashes, lambda: leashes.ranks[0].gone)
    assert leashes.ranks[0].left is None and not leashes.ranks[1].gone
    leashes.drain()
    wait_for(leashes, lambda: leashes.ranks[1].gone)
    assert leashes.ranks[1].left == 75 and second.wait(10) == 75 and first.wait(10) == -signal.SIGKILL
    assert not leashes.held


def test_who_joins_late_still_hears_the_wish_to_stop(leashes):
    leashes.drain()
    assert start_rank(leashes, 0).wait(10) == 75


def test_after_the_end_nobody_joins(leashes):
    environment = leashes.environment
    leashes.kill()
    process = subprocess.Popen([sys.executable, "-c", RANK, "0"], env=environment, stderr=subprocess.PIPE)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1 and b"cannot reach its launcher" in said


@pytest.mark.parametrize(
    "word",
    [b"GET / HTTP/1.0\n", b'{"rank": 0, "host": "x", "token": "guess"}\n', b"[]\n", b"1" * 5000, b'{"left": 0}\n'],
)
def test_strangers_are_turned_away(leashes, word):
    host, port = leashes.environment["XPSHPC_LEASH"].split(":")
    with socket.create_connection((host, int(port))) as stranger:
        stranger.sendall(word)
        stranger.settimeout(0.01)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            leashes.attend()
            try:
                assert stranger.recv(1) == b""
                break
            except TimeoutError:
                continue
            except ConnectionResetError:
                break
    assert not leashes.ranks


def test_words_may_come_in_pieces(leashes):
    host, port = leashes.environment["XPSHPC_LEASH"].split(":")
    token = leashes.environment["XPSHPC_LEASH_TOKEN"]
    word = json.dumps({"rank": 3, "host": "there", "token": token}).encode() + b'\n{"left": 9}\n'
    with socket.create_connection((host, int(port))) as rank:
        for byte in word:
            rank.sendall(bytes([byte]))
            leashes.attend()
        wait_for(leashes, lambda: 3 in leashes.ranks and leashes.ranks[3].left == 9)
    wait_for(leashes, lambda: leashes.ranks[3].gone)


def test_an_address_of_another_host_is_an_environment_fault():
    with pytest.raises(EnvironmentFault, match="cannot listen"):
        Leashes("192.0.2.1")


def test_all_who_have_come_are_let_in_at_once_also_before_they_say_who_they_are(leashes):
    assert not leashes.anybody
    host, port = leashes.environment["XPSHPC_LEASH"].split(":")
    token = leashes.environment["XPSHPC_LEASH_TOKEN"]
    ranks = [socket.create_connection((host, int(port))) for _ in range(3)]
    leashes.attend()
    assert leashes.anybody and not leashes.ranks
    leashes.drain()
    for rank, connection in enumerate(ranks):
        connection.sendall(json.dumps({"token": token, "rank": rank, "host": "here"}).encode() + b"\n")
    wait_for(leashes, lambda: len(leashes.ranks) == 3)
    assert [connection.recv(1) for connection in ranks] == [b"D"] * 3
    for connection in ranks:
        connection.close()
