"""The public table: every layout gives the same maps, and nothing that a pickle asks for is ever run."""

from __future__ import annotations

import os
import pickle
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.wafers.pickled_tables import (
    COLUMNS,
    LABELS,
    MAPS,
    PARTS,
    PICKLED,
    Made,
    bracketed,
    pickle_block_tuple,
    unpack,
)
from xpshpc.errors import UsageError
from xpshpc.wafers.maps import CLASSES, SPLITS, MapSet
from xpshpc.wafers.readers.lswmd import read_lswmd


def cells(**changed: list[Any]) -> dict[str, list[Any]]:
    told: dict[str, list[Any]] = {
        "waferMap": [np.array(map, dtype=np.uint8) for map in MAPS],
        "dieSize": [30.0, 16.0, 30.0, 16.0],
        "lotName": ["lot1"] * 4,
        "waferIndex": [1.0, 2.0, 3.0, 4.0],
        "trianTestLabel": [bracketed(part) for part in PARTS],
        "failureType": [bracketed(label) for label in LABELS],
    }
    return {name: changed.get(name, told[name]) for name in COLUMNS}


def read(tmp_path: Path, content: bytes) -> MapSet:
    path = tmp_path / "LSWMD.pkl"
    path.write_bytes(content)
    return read_lswmd(path)


def check(maps: MapSet) -> None:
    """The three labelled maps of the table, and nothing of the one without a label."""
    assert [map.tolist() for map in maps.maps] == [[list(row) for row in MAPS[place]] for place in (0, 1, 3)]
    assert all(map.dtype == np.uint8 for map in maps.maps)
    assert [CLASSES[label] for label in maps.label] == ["Donut", "None", "Near-full"]
    assert [SPLITS[split] for split in maps.split] == ["train", "test", "test"]
    assert maps.index.tolist() == [0, 1, 3]
    assert maps.classes == CLASSES


@pytest.mark.parametrize("version", PICKLED)
def test_tables_that_pandas_wrote_are_read(tmp_path: Path, version: str) -> None:
    check(read(tmp_path, unpack(PICKLED[version])))


@pytest.mark.parametrize(
    ("module", "index_module"),
    [
        ("pandas.core.internals", "pandas.core.index"),
        ("pandas.core.internals", "pandas.indexes.base"),
        ("pandas.core.internals.managers", "pandas.core.indexes.base"),
    ],
)
def test_tables_of_python_2_and_of_older_pandas_are_read(tmp_path: Path, module: str, index_module: str) -> None:
    check(read(tmp_path, pickle_block_tuple(cells(), module=module, index_module=index_module)))


def test_labels_without_brackets_are_read(tmp_path: Path) -> None:
    plain = cells(
        trianTestLabel=[part or "" for part in PARTS], failureType=[[label] if label else [] for label in LABELS]
    )
    check(read(tmp_path, pickle_block_tuple(plain)))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"failureType": [bracketed(name) for name in ("Donut", "Ring", None, None)]}, "'Ring' in row 1"),
        (
            {"trianTestLabel": [bracketed(name) for name in ("Training", None, None, "Test")]},
            "trianTestLabel '' in row 1",
        ),
        ({"waferMap": [np.full((3, 3), 3, dtype=np.uint8)] * 4}, "row 0 holds 3 to 3"),
        ({"waferMap": [np.zeros(9, dtype=np.uint8)] * 4}, "row 0 is uint8 (9,)"),
        ({"waferMap": ["map"] * 4}, "row 0"),
    ],
)
def test_what_is_no_map_or_no_label_is_told_with_its_row(
    tmp_path: Path, changed: dict[str, list[Any]], told: str
) -> None:
    with pytest.raises(UsageError) as raised:
        read(tmp_path, pickle_block_tuple(cells(**changed)))
    assert told in raised.value.what


def test_a_table_without_labels_is_refused(tmp_path: Path) -> None:
    few = {name: column for name, column in cells().items() if name != "failureType"}
    with pytest.raises(UsageError, match="no column failureType"):
        read(tmp_path, pickle_block_tuple(few))


class Marked:
    """Opening this file is what a hostile pickle asks for."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self._path), "w"))


@pytest.mark.parametrize("inside", [True, False], ids=["in a cell", "bare"])
def test_a_pickle_that_opens_a_file_does_not(tmp_path: Path, inside: bool) -> None:
    marked = tmp_path / "opened"
    pickled: Any = pickle.dumps(Marked(marked))
    if inside:
        pickled = pickle_block_tuple(cells(lotName=[Marked(marked)] * 4))
    with pytest.raises(UsageError, match=r"asks for (_io|io)\.open.*it was not run"):
        read(tmp_path, pickled)
    assert not marked.exists()
    pickle.loads(pickle.dumps(Marked(marked))).close()  # noqa: S301
    assert marked.exists()


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        (os.system, ("true",)),
        (eval, ("1 + 1",)),
        (exec, ("pass",)),
        (getattr, ("", "join")),
        (__import__, ("os",)),
        (np.load, ("file.npy",)),
        (np.memmap, ("file",)),
    ],
)
def test_names_that_no_table_needs_are_refused(tmp_path: Path, call: Any, arguments: tuple[Any, ...]) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(UsageError, match=r"asks for .*it was not run"):
            read(tmp_path, pickle.dumps(Made(call, arguments), protocol))


def test_known_names_lead_nowhere_else(tmp_path: Path) -> None:
    """Dotted names, names below known modules, and attributes of what is known are as unknown as any other."""
    for module, name in [
        ("numpy", "dtype.type"),
        ("numpy._core.multiarray", "_reconstruct.__globals__"),
        ("pandas.core.frame", "DataFrame.eval"),
        ("pandas", "eval"),
        ("pandas.core.index", "os.system"),
        ("builtins", "object.__subclasses__"),
    ]:
        with pytest.raises(UsageError, match="it was not run"):
            read(tmp_path, b"\x80\x04" + _short(module) + _short(name) + b"\x93.")


def test_what_a_pickle_is_given_cannot_be_changed_by_it(tmp_path: Path) -> None:
    """A state set on a known class itself, not on a thing made of it, is refused, and later tables read as before."""
    for module, name in [("pandas.core.frame", "DataFrame"), ("numpy", "dtype"), ("builtins", "slice")]:
        known = b"\x80\x04" + _short(module) + _short(name) + b"\x93"
        for state in (b"}" + _short("columns") + b"Ns", b"N}" + _short("__setstate__") + b"Ns\x86"):
            with pytest.raises(UsageError):
                read(tmp_path, known + state + b"b.")
    check(read(tmp_path, unpack(next(iter(PICKLED.values())))))


@pytest.mark.parametrize(
    "made",
    [
        Made(np.dtype, ([("a", "O")],)),
        Made(np.dtype, ("V8",)),
        Made(np.dtype, ("M8[ns]",)),
        Made(np.dtype, ("i4,,",)),
        Made(np.dtype, ("(2,)u1",)),
    ],
    ids=["fields", "void", "time", "no Python", "shape"],
)
def test_data_types_that_maps_do_not_have_are_refused(tmp_path: Path, made: Made) -> None:
    with pytest.raises(UsageError):
        read(tmp_path, pickle.dumps(made))


def test_a_data_type_cannot_be_made_up(tmp_path: Path) -> None:
    """NumPy believes a pickled type's flags: without them it takes an object's address from the file's bytes."""
    reduced: Any = np.empty(1, dtype=object).__reduce__()
    call, arguments, (version, shape, _, order, _) = reduced
    flagless = _WithState(np.dtype, ("O8", False, True), (3, "|", None, None, None, -1, -1, 0))
    with pytest.raises(UsageError, match="array of objects without a list"):
        read(tmp_path, pickle.dumps(_WithState(call, arguments, (version, shape, flagless, order, b"\0" * 8))))


class _WithState:
    def __init__(self, *reduced: Any) -> None:
        self._reduced = reduced

    def __reduce__(self) -> tuple[Any, ...]:
        return self._reduced


def test_things_outside_of_the_pickle_are_refused(tmp_path: Path) -> None:
    class Outside(pickle.Pickler):
        def persistent_id(self, obj: Any) -> Any:
            return "elsewhere" if obj == "here" else None

    written = BytesIO()
    Outside(written).dump(["here"])
    with pytest.raises(UsageError, match="outside"):
        read(tmp_path, written.getvalue())


def test_a_damaged_file_is_never_anything_but_told(tmp_path: Path) -> None:
    whole = unpack(next(iter(PICKLED.values())))
    for length in range(0, len(whole), 37):
        with pytest.raises(UsageError):
            read(tmp_path, whole[:length])


@pytest.mark.parametrize("content", [b"", b"no pickle at all", pickle.dumps({"a": 1}), pickle.dumps(None)])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UsageError) as raised:
        read(tmp_path, content)
    assert raised.value.where.endswith("LSWMD.pkl")


def _short(text: str) -> bytes:
    return b"\x8c" + bytes([len(text)]) + text.encode()
