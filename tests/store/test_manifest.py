"""I1: committed, quarantined and pending samples are the plan, disjoint."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from xpshpc.plan.shards import Plan
from xpshpc.run_directory import RunDirectory
from xpshpc.store.manifest import read_manifest
from xpshpc.store.record import Attempt, CommitRecord, FileRecord, Quarantined, record_file


@st.composite
def committed_plans(draw: st.DrawFn) -> tuple[Plan, list[CommitRecord]]:
    plan = Plan(draw(st.integers(1, 60)), draw(st.integers(1, 9)), "hash")
    numbers = draw(st.sets(st.integers(0, len(plan) - 1)))
    records = []
    for number in sorted(numbers):
        shard = plan[number]
        bad = draw(st.sets(st.integers(shard.start, shard.stop - 1)))
        records.append(
            CommitRecord(
                number,
                shard.start,
                shard.stop,
                plan.data_hash,
                {"counts": FileRecord("0" * 64, draw(st.integers(0, 10**6)), "0" * 64)},
                tuple(Quarantined(sample, "crash", "why") for sample in sorted(bad)),
                (Attempt(1, "crash", "why", seconds=1.5),) if bad else (),
                "host",
                1,
                "worker",
                "",
                {},
                2.0,
                0.0,
            )
        )
    return plan, records


@given(committed_plans())
def test_counts_add_up_to_the_plan(drawn: tuple[Plan, list[CommitRecord]]) -> None:
    plan, records = drawn
    with tempfile.TemporaryDirectory() as folder:
        run = RunDirectory(Path(folder))
        run.commits.mkdir()
        (run.commits / "plan.json").write_text("{}")
        for record in records:
            record_file(run, record.shard).write_bytes(record.to_json())
        manifest = read_manifest(run, plan)
        tally = manifest.tally()
        assert list(manifest.records()) == records
        assert tally.samples + tally.quarantined + manifest.pending_samples() == plan.samples
        assert {record.shard for record in records} | set(manifest.pending()) == set(range(len(plan)))
        assert tally.shards + len(list(manifest.pending())) == len(plan)
        assert tally.core_s == sum(2.0 + 1.5 * bool(record.quarantined) for record in records)
        assert manifest.strangers == ()


def test_names_of_no_shard_are_strangers(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.commits.mkdir()
    for name in ("00000000.json", "00000007.json", "note.txt", "plan.json"):
        (run.commits / name).write_text("{}")
    manifest = read_manifest(run, Plan(20, 10, "hash"))
    assert manifest.committed.tolist() == [True, False]
    assert manifest.strangers == ("00000007.json", "note.txt")


def test_a_run_that_has_not_begun_has_everything_pending(tmp_path: Path) -> None:
    manifest = read_manifest(RunDirectory(tmp_path / "nothing"), Plan(20, 10, "hash"))
    assert list(manifest.pending()) == [0, 1]
