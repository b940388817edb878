"""Only who knows the token is heard, and nobody else can keep a launcher from hearing."""

from __future__ import annotations

import json
import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from xpshpc.cluster.ranks.listener import INTRODUCTION_S, Line, Listener
from xpshpc.errors import EnvironmentFault


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Launcher:
    """A listener, its clock, and all that it has passed on."""

    clock: Clock = field(default_factory=Clock)
    heard: list[tuple[Line, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.listener = Listener(clock=self.clock)
        self.environment = self.listener.environment("DOOR")

    @property
    def words(self) -> list[Any]:
        return [told for _, told in self.heard]

    def hear(self) -> None:
        self.heard += self.listener.hear()

    def hear_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, "what was waited for did not come"
            self.hear()
            time.sleep(0.005)

    def connect(self, host: str | None = None) -> socket.socket:
        own, port = self.environment["DOOR"].split(":")
        connection = socket.create_connection((host or own, int(port)), timeout=30)
        connection.setblocking(False)
        return connection

    def introduction(self, **told: object) -> bytes:
        return json.dumps({"token": self.environment["DOOR_TOKEN"], **told}).encode() + b"\n"


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    made = Launcher()
    yield made
    made.listener.close()


def is_hung_up(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def test_who_knows_the_token_is_heard_and_answered(launcher: Launcher) -> None:
    with launcher.connect() as first, launcher.connect() as second:
        for byte in launcher.introduction(name=1):
            first.send(bytes([byte]))
            launcher.hear()
        second.send(launcher.introduction(name=2) + b'{"says": "a"}\n{"says": "b"}\n{"says"')
        launcher.hear_until(lambda: len(launcher.heard) == 4)
        one, other, *_ = dict.fromkeys(line for line, _ in launcher.heard)
        told = {line: [word for each, word in launcher.heard if each is line] for line in (one, other)}
        assert [word.get("name") for word in (told[one][0], told[other][0])] == [1, 2]
        assert told[other][1:] == [{"says": "a"}, {"says": "b"}]
        one.tell(b"to one")
        other.tell(b"to the other")
        for connection, word in ((first, b"to one"), (second, b"to the other")):
            connection.setblocking(True)
            assert connection.recv(100) == word
    launcher.hear_until(lambda: not one.is_open and not other.is_open)
    one.tell(b"too late")
    assert not launcher.listener.anybody and len(launcher.heard) == 4


@pytest.mark.parametrize(
    "said",
    [
        b'{"token": "guess", "name": 1}\n',
        b'{"name": 1}\n',
        '{"token": "gu\u00ebss"}\n'.encode(),
        b'{"token": "\\ud800"}\n',
        b'{"token": ["guess"]}\n',
        b'{"token": {}}\n',
        b"[]\n",
        b"null\n",
        b"\n",
        b"\xff\xfe\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"[" * 1000 + b"\n",
        b"x" * 5000,
        b"x" * 2000 + b"\n",
    ],
)
def test_a_stranger_is_hung_up_on_and_not_heard_whatever_it_says_next(launcher: Launcher, said: bytes) -> None:
    with launcher.connect() as stranger, launcher.connect() as rank:
        stranger.send(said + launcher.introduction(name="stranger"))
        rank.send(launcher.introduction(name="rank"))
        launcher.hear_until(lambda: bool(launcher.heard) and is_hung_up(stranger))
    assert [word["name"] for word in launcher.words] == ["rank"]


@pytest.mark.parametrize("nonsense", [b"[1]\n", b"what\n", b"[" * 1000 + b"\n", b"1" * 5000])
def test_who_is_known_and_talks_nonsense_is_hung_up_on(launcher: Launcher, nonsense: bytes) -> None:
    with launcher.connect() as rank:
        rank.send(launcher.introduction(name=1) + nonsense + b'{"says": "more"}\n')
        launcher.hear_until(lambda: bool(launcher.heard) and is_hung_up(rank))
    assert len(launcher.heard) == 1 and not launcher.heard[0][0].is_open


def test_nothing_is_passed_on_from_a_line_after_it_was_hung_up(launcher: Launcher) -> None:
    with launcher.connect() as rank:
        rank.send(launcher.introduction(name=1) + b'{"says": "more"}\n')
        deadline = time.monotonic() + 30
        words: list[Any] = []
        while not is_hung_up(rank):
            assert time.monotonic() < deadline
            for line, told in launcher.listener.hear():
                words.append(told)
                launcher.listener.hang_up(line)
                launcher.listener.hang_up(line)
    assert [word["name"] for word in words] == [1]


def test_a_stranger_has_its_time_however_it_uses_it_and_who_is_known_has_all_the_time(launcher: Launcher) -> None:
    with launcher.connect() as silent, launcher.connect() as slow, launcher.connect() as rank:
        rank.send(launcher.introduction(name=1))
        launcher.hear_until(lambda: bool(launcher.heard))
        for _ in range(9):
            launcher.clock.now += INTRODUCTION_S / 10
            slow.send(b" ")
            launcher.hear()
        assert not is_hung_up(silent) and not is_hung_up(slow)
        launcher.clock.now += INTRODUCTION_S / 10
        launcher.hear_until(lambda: is_hung_up(silent) and is_hung_up(slow))
        launcher.clock.now += 1e6
        rank.send(b'{"says": "still here"}\n')
        launcher.hear_until(lambda: len(launcher.heard) == 2)
        assert launcher.listener.anybody and not is_hung_up(rank)
    assert launcher.words[1] == {"says": "still here"}


def test_a_launcher_that_was_long_away_still_hears_who_was_in_time(launcher: Launcher) -> None:
    with launcher.connect() as rank:
        launcher.hear_until(lambda: launcher.listener.anybody)
        rank.send(launcher.introduction(name=1))
        launcher.clock.now += 10 * INTRODUCTION_S
        launcher.hear()
        launcher.hear()
        assert [word["name"] for word in launcher.words] == [1] and not is_hung_up(rank)


def test_a_flood_is_cut_and_the_rank_behind_it_is_heard(launcher: Launcher) -> None:
    flood = [launcher.connect() for _ in range(100)]
    try:
        for stranger in flood:
            stranger.send(b"x" * 100_000)
        with launcher.connect() as rank:
            rank.send(launcher.introduction(name=1))
            launcher.hear_until(lambda: bool(launcher.heard))
            launcher.hear_until(lambda: all(map(is_hung_up, flood)))
            assert not is_hung_up(rank)
    finally:
        for stranger in flood:
            stranger.close()


def test_strangers_who_take_all_handles_of_the_process_keep_ranks_out_for_their_time_only(launcher: Launcher) -> None:
    strangers = [launcher.connect() for _ in range(20)]
    rank = launcher.connect()
    rank.send(launcher.introduction(name=1))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (rank.fileno() + 100, hard))
        with pytest.raises(OSError, match="Too many open files"):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        for _ in range(5):
            os.close(taken.pop())
        for _ in range(10):
            launcher.hear()
        assert launcher.listener.anybody and not launcher.heard
        for _ in range(10):
            launcher.clock.now += INTRODUCTION_S
            launcher.hear()
            launcher.hear()
        assert [word["name"] for word in launcher.words] == [1] and not is_hung_up(rank)
        assert all(map(is_hung_up, strangers))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for handle in taken:
            os.close(handle)
        for connection in (*strangers, rank):
            connection.close()


def test_shut_it_keeps_who_is_in_and_closed_nobody(launcher: Launcher) -> None:
    with launcher.connect() as rank, launcher.connect() as stranger:
        rank.send(launcher.introduction(name=1))
        launcher.hear_until(lambda: bool(launcher.heard))
        launcher.listener.shut()
        with pytest.raises(ConnectionRefusedError):
            launcher.connect()
        rank.send(b'{"says": "I am in"}\n')
        launcher.hear_until(lambda: len(launcher.heard) == 2)
        assert not is_hung_up(rank) and not is_hung_up(stranger)
        launcher.listener.close()
        deadline = time.monotonic() + 30
        while not (is_hung_up(rank) and is_hung_up(stranger)):
            assert time.monotonic() < deadline
    launcher.listener.close()
    assert not launcher.listener.anybody and not launcher.heard[0][0].is_open


def test_it_listens_on_its_own_address_only(launcher: Launcher) -> None:
    with pytest.raises(ConnectionRefusedError):
        launcher.connect("127.0.0.2")
    with pytest.raises(EnvironmentFault, match="cannot listen"):
        Listener("192.0.2.1")


def test_no_two_have_the_same_token(launcher: Launcher) -> None:
    other = Launcher()
    other.listener.close()
    assert other.environment.keys() == {"DOOR", "DOOR_TOKEN"}
    assert other.environment["DOOR_TOKEN"] != launcher.environment["DOOR_TOKEN"]
