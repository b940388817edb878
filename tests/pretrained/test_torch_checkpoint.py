"""Arrays come out of a checkpoint as they were put in, and none shows what lies outside of its storage."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xpshpc.errors import UsageError
from xpshpc.pretrained.torch_checkpoint import MAGIC, PROTOCOL, read_checkpoint

STORED = np.arange(12, dtype="<f4")


def plain(value: Any) -> bytes:
    """The opcodes that leave a plain value on the stack."""
    return pickle.dumps(value, protocol=2)[2:-1]


def storage(key: str = "0", length: Any = 12, kind: str = "FloatStorage") -> bytes:
    return b"(" + plain("storage") + f"ctorch\n{kind}\n".encode() + plain(key) + plain("cpu") + plain(length) + b"NtQ"


def view(offset: Any = 0, shape: Any = (3, 4), strides: Any = (4, 1), stored: bytes | None = None) -> bytes:
    parts = (storage() if stored is None else stored) + plain(offset) + plain(shape) + plain(strides) + b"\x89"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + parts + b"ccollections\nOrderedDict\n)RtR"


def state(**arrays: bytes) -> bytes:
    """An OrderedDict with the `_metadata` that PyTorch hangs on it."""
    items = b"".join(plain(name) + array for name, array in arrays.items())
    return b"ccollections\nOrderedDict\n)R(" + items + b"u" + plain({"_metadata": {"": {"version": 1}}}) + b"b"


def write(path: Path, told: bytes, keys: Any = ("0",), stored: bytes = STORED.tobytes(), length: int = 12) -> Path:
    head = [MAGIC, PROTOCOL, {"protocol_version": PROTOCOL, "little_endian": True}]
    pickles = b"".join(pickle.dumps(each, protocol=2) for each in head) + b"\x80\x02" + told + b"."
    path.write_bytes(pickles + pickle.dumps(keys, protocol=2) + length.to_bytes(8, "little") + stored)
    return path


def test_views_are_the_arrays_that_were_written(tmp_path: Path) -> None:
    told = state(
        whole=view(),
        turned=view(0, (4, 3), (1, 4)),
        part=view(5, (2, 3), (4, 1)),
        number=view(7, (), ()),
        none=view(0, (0,), (1,)),
    )
    found = read_checkpoint(write(tmp_path / "model.pth", told, ["0"]))
    whole = STORED.reshape(3, 4)
    expected = {"whole": whole, "turned": whole.T, "part": whole[1:, 1:], "number": STORED[7], "none": STORED[:0]}
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
        assert found[name].dtype == np.float32


SHORT = storage(length=1)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (state(a=view(1)), "beyond its storage"),
        (state(a=view(0, (3, 5))), "beyond its storage"),
        (state(a=view(0, (2**50,), (0,))), "beyond its storage"),
        (state(a=view(-1)), "of an unknown kind"),
        (state(a=view(4, (2,), (-4,))), "of an unknown kind"),
        (state(a=view(0.0)), "of an unknown kind"),
        (state(a=view(0, (3,), (1, 1))), "of an unknown kind"),
        (state(a=view(stored=plain("0"))), "of an unknown kind"),
        (state(a=view(stored=storage(length=12.0))), "a storage of an unknown kind"),
        (state(a=view(stored=storage(length=-1))), "a storage of an unknown kind"),
        (state(a=view(stored=storage(kind="HalfStorage"))), "asks for torch.HalfStorage"),
        (state(a=view(), b=view(0, (1,), (1,), SHORT)), "storages are not those"),
        (state(a=view(stored=storage("1"))), "storages are not those"),
        (state(a=view(0, (1,), (1,), SHORT)), "not as long as"),
        (state(a=storage()), "more than arrays"),
        (view(), "more than arrays"),
        (plain([1]), "more than arrays"),
    ],
)
def test_what_a_file_may_not_say_of_its_arrays_is_refused(tmp_path: Path, told: bytes, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        read_checkpoint(write(tmp_path / "model.pth", told, ["0"]))


@pytest.mark.parametrize(
    "change",
    [plain({"offset": 10**6}) + b"b", b"N" + plain({"offset": 10**6}) + b"\x86b", plain("offset") + b"K\x01s"],
    ids=["state", "slots", "item"],
)
def test_an_array_that_was_checked_cannot_be_changed(tmp_path: Path, change: bytes) -> None:
    read_checkpoint(write(tmp_path / "model.pth", state(a=view()), ["0"]))
    with pytest.raises(UsageError, match="torn or foreign"):
        read_checkpoint(write(tmp_path / "model.pth", state(a=view() + change), ["0"]))


@pytest.mark.parametrize("keys", [3, None, [], [0, 1], {"0": 1}, [["0"]]])
def test_keys_that_are_not_those_of_the_arrays_are_refused(tmp_path: Path, keys: Any) -> None:
    with pytest.raises(UsageError, match="storages are not those"):
        read_checkpoint(write(tmp_path / "model.pth", state(a=view()), keys))


def test_a_storage_longer_than_its_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    told = state(a=view(stored=storage(length=2**60)))
    with pytest.raises(UsageError, match="ends too early"):
        read_checkpoint(write(tmp_path / "model.pth", told, ["0"], length=2**60))
    with pytest.raises(UsageError, match="ends too early"):
        read_checkpoint(write(tmp_path / "model.pth", state(a=view()), ["0"], STORED.tobytes()[:-1]))
