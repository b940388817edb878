"""Plain data are read from pickles as they were; what a file asks for is not done, and the reader stays as it was."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.inert_pickle import NotPlain, Sealed, UnknownName, read_inert

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.lists(inner, max_size=5).map(tuple),
    max_leaves=12,
)


class Kept(metaclass=Sealed):
    """What a call of a known name leaves: its arguments."""

    __slots__ = ("arguments",)

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments


class Latin1(metaclass=Sealed):
    """How bytes are written before protocol 3."""

    def __new__(cls, text: str = "", encoding: str = "latin1") -> Any:
        return text.encode(encoding)


KNOWN: dict[str, Sealed] = {
    "_codecs.encode": Latin1,
    "__builtin__.bytes": Latin1,
    "shop.Kept": Kept,
}


def read(data: bytes) -> Any:
    return read_inert(io.BytesIO(data), KNOWN.get)


@given(PLAIN, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_data_come_back(value: Any, protocol: int) -> None:
    assert read(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_in_one_file_are_read_one_after_the_other(protocol: int, tmp_path: Path) -> None:
    """Also where the file is buffered: what stands behind a pickle need not be one."""
    path = tmp_path / "three"
    path.write_bytes(pickle.dumps([1], protocol) + pickle.dumps("two", protocol) + b"rest")
    with path.open("rb") as stream:
        assert [read_inert(stream, KNOWN.get) for _ in range(2)] == [[1], "two"]
        assert stream.read() == b"rest"


def test_a_known_name_is_the_class_that_stands_for_it() -> None:
    made = read(b"cshop\nKept\n(I1\nI2\ntR.")
    assert isinstance(made, Kept)
    assert made.arguments == (1, 2)


class Touches:
    """Pickled as a call that makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_call_is_refused_by_name_and_not_made(protocol: int, tmp_path: Path) -> None:
    made = tmp_path / "made"
    data = pickle.dumps(Touches(made), protocol)
    with pytest.raises(UnknownName, match=r"asks for posix\.mkdir") as raised:
        read(data)
    assert raised.value.name == "posix.mkdir"
    assert not made.exists()
    pickle.loads(data)  # noqa: S301
    assert made.exists()


def test_what_is_not_sealed_is_not_known() -> None:
    """A reader's own table cannot hand out what a file could change, or a function."""
    for unsealed in (os.getcwd, dict, Kept(), "text"):
        with pytest.raises(UnknownName, match=r"asks for shop\.other"):
            read_inert(io.BytesIO(b"cshop\nother\n."), lambda name, found=unsealed: found)  # type: ignore[misc]


def changes_of(known: bytes) -> Iterator[bytes]:
    """Every way of a pickle to set something on what it has: as a dictionary, as slots, as an item, as a list."""
    yield known + b"}\x8c\x09argumentsNsb."
    yield known + b"N}\x8c\x09argumentsNs\x86b."
    yield known + b"N}\x8c\x08__init__Ns\x86b."
    yield known + b"\x8c\x09argumentsNs."
    yield known + b"Na."


def test_a_known_class_cannot_be_changed() -> None:
    before = dict(vars(Kept))
    for data in changes_of(b"\x80\x04\x8c\x04shop\x8c\x04Kept\x93"):
        with pytest.raises(NotPlain):
            read(data)
    assert dict(vars(Kept)) == before


@pytest.mark.parametrize("called", [b"\x8c\x01a", b"K\x01", b"]", b"}", b"cshop\nKept\n)R"])
def test_what_a_file_made_itself_is_not_called(called: bytes) -> None:
    for call in (b")R.", b")\x81.", b")}\x92."):
        with pytest.raises(NotPlain):
            read(b"\x80\x04" + called + call)


def test_things_outside_of_a_pickle_are_the_reader_s_to_find() -> None:
    data = b"\x80\x02K\x07Q."
    with pytest.raises(NotPlain, match="outside"):
        read(data)
    assert read_inert(io.BytesIO(data), KNOWN.get, lambda identifier: f"number {identifier}") == "number 7"
    with pytest.raises(NotPlain, match="torn or foreign pickle: no such thing"):
        read_inert(io.BytesIO(data), KNOWN.get, refuse)


def refuse(identifier: Any) -> Any:
    raise ValueError("no such thing")


@pytest.mark.parametrize(
    "data", [b"", b"\x80\x02", b"\x80\x02]q\x00(K\x01", b"PK\x03\x04", b"\x80\x02h\x07.", b"\x80\x02.", b"\x80\x09N."]
)
def test_torn_and_foreign_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(NotPlain):
        read(data)


@given(PLAIN, st.data())
def test_a_pickle_that_is_cut_anywhere_is_refused(value: Any, data: st.DataObject) -> None:
    whole = pickle.dumps(value, protocol=4)
    with pytest.raises(NotPlain):
        read(whole[: data.draw(st.integers(0, len(whole) - 1))])


OPCODES = [
    *(b"cshop\nKept\n", b"K\x01", b"\x8c\x09arguments", b"q\x00", b"h\x00", b"\x94"),
    *(bytes([code]) for code in b"N()]}tldRbsuaeoQ0\x81\x86\x8f\x90\x91\x92\x93"),
]


@given(st.lists(st.sampled_from(OPCODES), max_size=12))
def test_any_program_gives_a_value_or_is_refused_and_changes_nothing(program: list[bytes]) -> None:
    before = dict(vars(Kept))
    with suppress(NotPlain):
        read(b"\x80\x04" + b"".join(program) + b".")
    assert dict(vars(Kept)) == before
