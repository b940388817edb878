"""Sums over records are exact once all are read, near before, and never those of records that were taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from xpshpc.plan.shards import Plan
from xpshpc.run_directory import RunDirectory
from xpshpc.store import tally as sums_module
from xpshpc.store.lease import hold_lease
from xpshpc.store.manifest import Manifest, read_manifest
from xpshpc.store.record import Attempt, CommitRecord, FileRecord, Quarantined, record_file
from xpshpc.store.tally import Sums, forget_sums, read_sums

SHARDS, EACH, LAST = 200, 10, 4
PLAN = Plan((SHARDS - 1) * EACH + LAST, EACH, "hash")


def write_record(run: RunDirectory, number: int, quarantined: int) -> None:
    shard = PLAN[number]
    left_out = tuple(Quarantined(shard.start + row, "crash", "test") for row in range(quarantined))
    failed = (Attempt(1, "crash", "test", seconds=0.5),) if quarantined else ()
    files = {"counts": FileRecord("", 100 + number, "")}
    record = CommitRecord(
        number, shard.start, shard.stop, "hash", files, left_out, failed, "h", 1, "", "", {}, 1.0, 0.0
    )  # fmt: skip
    record_file(run, number).write_bytes(record.to_json())


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A run of which all but ten shards are committed, every seventh with a sample in quarantine."""
    run = RunDirectory(tmp_path)
    run.commits.mkdir()
    for number in (*range(100), *range(110, SHARDS)):
        write_record(run, number, quarantined=int(number % 7 == 0))
    return run


@pytest.fixture(autouse=True)
def _few_are_worth_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums_module, "KEPT_FROM", 20)


def records(number: int) -> Callable[[], float]:
    """A clock by which so many records can be read in the patience of 1 s."""
    ticks: Iterator[int] = count()
    return lambda: next(ticks) / number


def manifest_of(run: RunDirectory) -> Manifest:
    return read_manifest(run, PLAN)


def test_all_read_the_sums_are_those_of_the_records(run: RunDirectory) -> None:
    manifest = manifest_of(run)
    assert read_sums(run, manifest) == Sums(manifest.tally(), SHARDS - 10, SHARDS - 10)
    assert read_sums(run, manifest) == Sums(manifest.tally(), SHARDS - 10, SHARDS - 10)


def test_half_read_they_are_near_and_the_samples_exact(run: RunDirectory) -> None:
    manifest = manifest_of(run)
    whole, half = manifest.tally(), read_sums(run, manifest, clock=records(95))
    assert (half.read, half.committed, half.exact) == (95, SHARDS - 10, False)
    assert half.tally.shards == whole.shards
    assert half.tally.samples + half.tally.quarantined == whole.samples + whole.quarantined
    assert half.tally.core_s == pytest.approx(whole.core_s, rel=0.1)
    assert half.tally.bytes == pytest.approx(whole.bytes, rel=0.1)


def test_each_look_reads_on_until_all_is_read(run: RunDirectory) -> None:
    manifest = manifest_of(run)
    looks = [read_sums(run, manifest, clock=records(50)) for _ in range(4)]
    assert [look.read for look in looks] == [50, 100, 150, SHARDS - 10]
    assert looks[-1].exact
    assert replace(looks[-1].tally, core_s=0.0) == replace(manifest.tally(), core_s=0.0)
    assert looks[-1].tally.core_s == pytest.approx(manifest.tally().core_s)


def test_new_records_are_added_to_those_known(run: RunDirectory) -> None:
    read_sums(run, manifest_of(run))
    for number in range(100, 110):
        write_record(run, number, quarantined=3)
    manifest = manifest_of(run)
    assert read_sums(run, manifest).tally.quarantined == manifest.tally().quarantined


def test_a_record_that_is_gone_is_noticed(run: RunDirectory) -> None:
    read_sums(run, manifest_of(run))
    record_file(run, 7).unlink()
    assert read_sums(run, manifest_of(run)).tally == manifest_of(run).tally()


def test_a_record_taken_back_and_made_again_is_read_again(run: RunDirectory) -> None:
    read_sums(run, manifest_of(run))
    forget_sums(run)
    write_record(run, 7, quarantined=0)
    assert read_sums(run, manifest_of(run)).tally == manifest_of(run).tally()


def test_what_was_read_while_the_owner_changed_is_not_kept(run: RunDirectory) -> None:
    ticks = count()

    def clock() -> float:
        if next(ticks) == 30:
            with hold_lease(run):
                pass
        return 0.0

    read_sums(run, manifest_of(run), clock=clock)
    assert not (run.logs / "tally.json").exists()
    read_sums(run, manifest_of(run))
    assert (run.logs / "tally.json").exists()


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"shards": "AAAA", "tally": {}, "data_hash": "hash"}'])
def test_a_damaged_cache_costs_nothing_but_time(run: RunDirectory, damage: bytes) -> None:
    read_sums(run, manifest_of(run))
    (run.logs / "tally.json").write_bytes(damage)
    assert read_sums(run, manifest_of(run)).tally == manifest_of(run).tally()


def test_nothing_committed_sums_to_nothing(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    assert read_sums(run, manifest_of(run)).exact
    assert read_sums(run, manifest_of(run)).tally.samples == 0
