"""What a worker makes of a shard: the same rows however they are cut, and what cannot be made left out by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benches import first_task, open_bench
from tests.invariants import store_bytes
from tests.sources import Behaviour, Fault, numbers_job
from xpshpc.errors import UsageError
from xpshpc.generate.last_words import take_words
from xpshpc.generate.policy import Cause
from xpshpc.generate.shard_task import AttemptFailed, Workbench, make_shard
from xpshpc.generate.validate import BadOutput, validate_piece
from xpshpc.run_directory import RunDirectory
from xpshpc.source import ArraySpec
from xpshpc.store.read import Store
from xpshpc.store.record import read_record


def bench_with(folder: Path, *faults: Fault, name: str = "run") -> Workbench:
    return open_bench(RunDirectory(folder / name), numbers_job(32, faults=faults, ledger=folder))


@pytest.mark.parametrize("piece", [1, 3, 8, 100])
def test_pieces_do_not_change_the_bytes(tmp_path: Path, piece: int) -> None:
    whole, cut = bench_with(tmp_path, name="whole"), bench_with(tmp_path, name="cut")
    cut.source.piece_samples = piece
    for bench in (whole, cut):
        make_shard(bench, first_task(bench, 1))
    assert cut.piece_samples == piece
    assert store_bytes(cut.run) == store_bytes(whole.run)


def test_isolation_does_not_change_the_bytes(tmp_path: Path) -> None:
    whole, single = bench_with(tmp_path, name="whole"), bench_with(tmp_path, name="single")
    make_shard(whole, first_task(whole, 1))
    make_shard(single, replace(first_task(single, 1), isolated=frozenset({16, 24})))
    assert store_bytes(single.run) == store_bytes(whole.run)


@pytest.mark.parametrize(
    ("behaviour", "cause"),
    [
        ("raise", Cause.CRASH),
        ("sysexit", Cause.CRASH),
        ("nan", Cause.BAD_OUTPUT),
        ("shape", Cause.BAD_OUTPUT),
        ("dtype", Cause.BAD_OUTPUT),
        ("names", Cause.BAD_OUTPUT),
        ("full", Cause.DISK_FULL),
    ],
)
def test_a_failure_is_told_by_its_cause_and_leaves_its_words_and_nothing_else(
    tmp_path: Path, behaviour: Behaviour, cause: Cause
) -> None:
    bench = bench_with(tmp_path, Fault(sample=27, behaviour=behaviour))
    task = first_task(bench, 1)
    with pytest.raises(AttemptFailed) as failed:
        make_shard(bench, task)
    assert failed.value.attempt.cause == cause
    assert failed.value.attempt.piece == (None if cause is Cause.DISK_FULL else 24)
    assert read_record(bench.run, 1) is None
    session = bench.run.staging / task.session
    assert take_words(session, 1, task.number) == failed.value.attempt
    assert list(session.iterdir()) == []
    assert not list(bench.run.data.glob("*/c.*"))


@pytest.mark.parametrize("behaviour", ["raise", "nan", "shape", "dtype", "names"])
def test_an_isolated_piece_loses_the_sample_at_fault_and_no_other(tmp_path: Path, behaviour: Behaviour) -> None:
    bench = bench_with(tmp_path, Fault(sample=27, behaviour=behaviour))
    make_shard(bench, replace(first_task(bench, 1), isolated=frozenset({24})))
    record = read_record(bench.run, 1)
    assert record is not None
    assert [sample.sample for sample in record.quarantined] == [27]
    assert Store(bench.run).indices(1).tolist() == [index for index in range(16, 32) if index != 27]


def test_the_rows_of_a_quarantined_sample_are_zero_and_not_valid(tmp_path: Path) -> None:
    import zarr

    bench = bench_with(tmp_path, Fault(sample=27, behaviour="nan"))
    make_shard(bench, replace(first_task(bench, 1), isolated=frozenset({24})))
    group: Any = zarr.open_group(bench.run.data, mode="r")
    assert not group["valid"][27] and group["valid"][26]
    assert not group["fraction"][27].any()


@given(refused=st.sets(st.integers(16, 31), max_size=15))
def test_what_a_source_refuses_is_left_out_without_another_attempt(
    tmp_path_factory: pytest.TempPathFactory, refused: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("refused")
    bench = bench_with(folder, *(Fault(sample=sample, behaviour="refuse") for sample in refused))
    make_shard(bench, first_task(bench, 1))
    record = read_record(bench.run, 1)
    assert record is not None
    assert {sample.sample for sample in record.quarantined} == refused
    assert {sample.cause for sample in record.quarantined} <= {"refused"}
    assert record.samples == 16 - len(refused)


def test_when_the_very_first_shard_has_no_good_sample_the_job_is_wrong(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, *(Fault(sample=sample, behaviour="refuse") for sample in range(16)))
    task = first_task(bench, 0)
    with pytest.raises(UsageError, match="sample 0: refused, the script refuses it"):
        make_shard(bench, replace(task, first=True))
    assert read_record(bench.run, 0) is None
    make_shard(bench, task)
    assert read_record(bench.run, 0) is not None


SPECS = (ArraySpec("a", (2,), "float32", "1", ""), ArraySpec("b", (), "uint16", "1", ""))


def good() -> dict[str, Any]:
    return {"a": np.ones((3, 2), "float32"), "b": np.ones(3, "uint16")}


def test_a_source_that_keeps_its_word_passes() -> None:
    validate_piece(SPECS, 3, good())


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ({"a": good()["a"]}, "arrays"),
        ({**good(), "c": good()["a"]}, "arrays"),
        ([good()["a"]], "not arrays by name"),
        ({**good(), "a": good()["a"].tolist()}, "is a list"),
        ({**good(), "a": good()["a"][:2]}, "shape"),
        ({**good(), "b": good()["b"][:, None]}, "shape"),
        ({**good(), "b": good()["b"].astype("int32")}, "is int32 instead of uint16"),
        ({**good(), "a": np.array([[1, 1], [1, np.inf], [1, 1]], "float32")}, "first in row 1"),
        ({**good(), "a": np.full((3, 2), np.nan, "float32")}, "not finite"),
    ],
)
def test_a_source_that_breaks_it_is_told_how(output: Any, why: str) -> None:
    with pytest.raises(BadOutput, match=why):
        validate_piece(SPECS, 3, output)
