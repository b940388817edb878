"""The commit protocol: first commit wins, nothing is written through, orphans are known again or replaced."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray

from tests.benches import first_task, make_shards, open_bench
from tests.invariants import store_bytes
from tests.sources import numbers_job
from xpshpc.errors import VerificationError
from xpshpc.generate.shard_task import Workbench
from xpshpc.plan.shards import Shard
from xpshpc.run_directory import RunDirectory
from xpshpc.store.commit import Checkpoint, Commit, commit_shard, make_private_folder
from xpshpc.store.record import CommitRecord, FileRecord, read_record, record_file

JOB = numbers_job(40)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return open_bench(RunDirectory(tmp_path / "run"), JOB)


def rows_of(bench: Workbench, shard: Shard, shift: int = 0) -> dict[str, NDArray[Any]]:
    rows: dict[str, NDArray[Any]] = dict(bench.source.make(shard.indices()))
    rows["counts"] = rows["counts"] + shift
    rows["valid"] = rows["index"] >= 0
    return rows


def commit(bench: Workbench, who: str, number: int = 0, shift: int = 0, checkpoint: Checkpoint | None = None) -> Commit:
    shard = first_task(bench, number).shard

    def make_record(files: dict[str, FileRecord]) -> CommitRecord:
        return CommitRecord(
            number, shard.start, shard.stop, bench.data_hash, files, (), (), who, 1, who, "", {}, 0.0, 0.0
        )

    staging = make_private_folder(bench.run.staging / who)
    rows = rows_of(bench, shard, shift)
    return commit_shard(bench.run, bench.arrays, shard, rows, staging, make_record, checkpoint or (lambda _: None))


def files_of(bench: Workbench, number: int = 0) -> dict[str, tuple[int, str]]:
    return {
        array.name: (
            array.file(bench.run.data, number).stat().st_ino,
            hashlib.sha256(array.file(bench.run.data, number).read_bytes()).hexdigest(),
        )
        for array in bench.arrays
    }


def test_the_record_tells_the_bytes_of_each_file(bench: Workbench) -> None:
    record = commit(bench, "a").record
    assert {name: sha for name, (_, sha) in files_of(bench).items()} == {
        name: file.sha256 for name, file in record.files.items()
    }
    assert read_record(bench.run, 0) == record


def test_a_late_zombie_changes_nothing(bench: Workbench) -> None:
    first = commit(bench, "first")
    before = files_of(bench)
    late = commit(bench, "zombie")
    assert first.first and not late.first
    assert late.record == first.record
    assert files_of(bench) == before


STEPS = ["staged:counts", "staged:valid", "linked:counts", "linked:valid"]


@pytest.mark.parametrize("step", STEPS)
def test_two_owners_at_once_give_one_commit(bench: Workbench, step: str) -> None:
    """While one stands at a step, a rival runs through the whole protocol."""
    rivals: list[Commit] = []

    def overtaken(reached: str) -> None:
        if reached == step:
            rivals.append(commit(bench, "rival"))

    slow = commit(bench, "slow", checkpoint=overtaken)
    assert rivals[0].first and not slow.first
    assert slow.record == rivals[0].record
    assert {name: sha for name, (_, sha) in files_of(bench).items()} == {
        name: file.sha256 for name, file in slow.record.files.items()
    }


@pytest.mark.parametrize("step", ["staged:valid", "linked:counts", "linked:valid"])
def test_a_rival_with_other_bytes_is_an_error_and_never_a_silent_mixture(bench: Workbench, step: str) -> None:
    def overtaken(reached: str) -> None:
        if reached == step:
            commit(bench, "rival", shift=1)

    if step == "staged:valid":
        slow = commit(bench, "slow", checkpoint=overtaken)
        assert slow.record.worker == "rival"
        assert {name: sha for name, (_, sha) in files_of(bench).items()} == {
            name: file.sha256 for name, file in slow.record.files.items()
        }
    else:
        with pytest.raises(VerificationError, match="different bytes"):
            commit(bench, "slow", checkpoint=overtaken)


def test_an_orphan_of_equal_bytes_is_kept(bench: Workbench) -> None:
    commit(bench, "dead")
    record_file(bench.run, 0).unlink()
    before = files_of(bench)
    assert commit(bench, "next").first
    assert files_of(bench) == before


def test_an_orphan_of_other_bytes_is_replaced_and_not_written_through(bench: Workbench, tmp_path: Path) -> None:
    commit(bench, "dead", shift=1)
    record_file(bench.run, 0).unlink()
    orphan = tmp_path / "orphan"
    counts = next(array for array in bench.arrays if array.name == "counts")
    orphan.hardlink_to(counts.file(bench.run.data, 0))
    wrong = orphan.read_bytes()
    record = commit(bench, "next").record
    assert files_of(bench)["counts"][1] == record.files["counts"].sha256
    assert orphan.read_bytes() == wrong


def test_order_of_commits_does_not_matter(tmp_path: Path) -> None:
    forth, back = RunDirectory(tmp_path / "forth"), RunDirectory(tmp_path / "back")
    make_shards(forth, JOB, [0, 1, 2])
    make_shards(back, JOB, [2, 0, 1])
    assert store_bytes(forth) == store_bytes(back)


def test_a_record_survives_its_json(bench: Workbench) -> None:
    record = commit(bench, "a").record
    assert replace(record, shard=0) == read_record(bench.run, 0)
