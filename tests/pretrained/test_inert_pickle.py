"""Plain data are read from pickles as they were; nothing a file asks for is done."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.pretrained.inert_pickle import NotPlain, read_inert

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.lists(inner, max_size=5).map(tuple),
    max_leaves=12,
)


def refuse(identifier: Any) -> Any:
    raise NotPlain(f"a persistent {identifier}")


def read(data: bytes) -> Any:
    return read_inert(io.BytesIO(data), {}, refuse)


@given(PLAIN)
def test_plain_data_come_back(value: Any) -> None:
    assert read(pickle.dumps(value, protocol=2)) == value


def test_pickles_in_one_stream_are_read_one_after_the_other() -> None:
    stream = io.BytesIO(pickle.dumps([1], protocol=2) + pickle.dumps("two", protocol=2) + b"rest")
    assert [read_inert(stream, {}, refuse) for _ in range(2)] == [[1], "two"]
    assert stream.read() == b"rest"


class Touches:
    """Pickled as a call that makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_call_is_refused_by_name_and_not_made(tmp_path: Path) -> None:
    made = tmp_path / "made"
    data = pickle.dumps(Touches(made), protocol=2)
    with pytest.raises(NotPlain, match=r"asks for (pathlib|__builtin__)\."):
        read(data)
    assert not made.exists()
    # What the file itself put on the stack is no function either, whatever it is.
    with pytest.raises(NotPlain, match="calls what is no function"):
        read(b"\x80\x02X\x01\x00\x00\x00a)R.")


@pytest.mark.parametrize(
    "data", [b"", b"\x80\x02", b"\x80\x02]q\x00(K\x01", b"PK\x03\x04", b"\x80\x02h\x07.", b"\x80\x02."]
)
def test_torn_and_foreign_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(NotPlain):
        read(data)
