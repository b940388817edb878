"""Quick shards go out in groups, and each is made, committed and answered for as if it were alone."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benches import first_task, make_shards, open_bench
from tests.invariants import check_complete, store_bytes
from tests.sources import Behaviour, Fault, numbers_job
from xpshpc.cluster.workers.departure import Departure
from xpshpc.errors import UsageError
from xpshpc.generate.backlog import Backlog
from xpshpc.generate.group import GROUP_S, LARGEST, LONGEST_S, GroupEnded, group_size, make_group
from xpshpc.generate.last_words import take_words
from xpshpc.generate.policy import Cause, Decision
from xpshpc.generate.shard_task import ShardTask, Workbench, next_attempt
from xpshpc.plan.shards import Plan
from xpshpc.run_directory import RunDirectory
from xpshpc.store.manifest import Manifest, read_manifest
from xpshpc.store.record import Attempt, read_record

SECONDS = st.floats(0, 1e4)
COUNTS = st.integers(0, 10**9)


@given(SECONDS, COUNTS, COUNTS)
def test_a_group_takes_half_a_second_at_most_and_the_last_shards_are_shared_out(
    shard_s: float, waiting: int, places: int
) -> None:
    size = group_size(shard_s, waiting, places)
    assert 1 <= size <= LARGEST
    assert size == 1 or size * shard_s <= GROUP_S
    assert (size - 1) * places < max(waiting, 1)


@given(COUNTS, COUNTS)
def test_slow_shards_and_shards_of_unknown_length_go_alone(waiting: int, places: int) -> None:
    assert group_size(None, waiting, places) == 1
    assert group_size(0.26, waiting, places) == 1


def test_shards_that_cost_nothing_fill_a_group() -> None:
    assert group_size(0.003, 1000, 4) == LARGEST
    assert group_size(0.1, 1000, 4) == 5


def backlog(shards: int, committed: tuple[int, ...] = ()) -> Backlog:
    flags = np.zeros(shards, dtype=bool)
    flags[list(committed)] = True
    return Backlog(Manifest(RunDirectory(Path("nowhere")), Plan(16 * shards, 16, "hash"), flags, ()), "000001")


def numbers(group: tuple[ShardTask, ...]) -> list[int]:
    return [task.shard.number for task in group]


@given(
    st.integers(1, 60),
    st.integers(1, 8),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 20), st.booleans())),
    st.data(),
)
def test_each_shard_is_given_out_until_it_is_made_and_what_failed_goes_alone(
    shards: int, places: int, fates: list[tuple[float, int, bool]], data: st.DataObject
) -> None:
    """Each group comes back with some of its first shards made; the next one failed, or had not begun."""
    there = data.draw(st.sets(st.integers(0, shards - 1)))
    waiting = backlog(shards, tuple(there))
    made: list[int] = sorted(there)
    while group := waiting.next_group(places, first=False, alone=False):
        assert len(group) == 1 or all(task.number == 1 for task in group)
        seconds, place, failed = fates.pop() if fates else (0.001, LARGEST, False)
        waiting.note_seconds(seconds)
        made += numbers(group[:place])
        left = list(group[place:])
        if left and failed:
            left[0] = next_attempt(left[0], Attempt(left[0].number, Cause.CRASH, "why"), Decision.RETRY)
        waiting.put_back(left)
        assert len(waiting) == shards - len(made)
    assert sorted(made) == list(range(shards))


def test_until_a_sample_has_come_out_well_and_while_the_disk_is_full_shards_go_alone() -> None:
    waiting = backlog(100)
    waiting.note_seconds(0.001)
    (first,) = waiting.next_group(2, first=True, alone=False)
    assert first.first
    assert numbers(waiting.next_group(2, first=False, alone=True)) == [1]
    waiting.put_back([first])
    assert numbers(waiting.next_group(2, first=False, alone=False)) == [0]
    assert numbers(waiting.next_group(2, first=False, alone=False)) == list(range(2, 2 + LARGEST))


def bench_with(folder: Path, *faults: Fault, shards: int = 8) -> tuple[Workbench, list[ShardTask]]:
    """A run of so many shards of 16 samples, and their first attempts."""
    bench = open_bench(RunDirectory(folder / "run"), numbers_job(16 * shards, faults=faults, ledger=folder))
    return bench, [first_task(bench, number) for number in range(shards)]


def committed(bench: Workbench) -> list[int]:
    plan = Plan(bench.job_file.job.generate.samples, 16, bench.data_hash)
    return np.flatnonzero(read_manifest(bench.run, plan).committed).tolist()


def test_a_group_makes_what_its_shards_alone_would(tmp_path: Path) -> None:
    bench, tasks = bench_with(tmp_path)
    alone = RunDirectory(tmp_path / "alone")
    make_shards(alone, bench.job_file, range(8))
    make_group(bench, tasks)
    assert store_bytes(bench.run) == store_bytes(alone)
    assert list((bench.run.staging / "000001").iterdir()) == []


@pytest.mark.parametrize(
    ("behaviour", "cause"), [("raise", Cause.CRASH), ("nan", Cause.BAD_OUTPUT), ("full", Cause.DISK_FULL)]
)
def test_a_failure_ends_a_group_there(tmp_path: Path, behaviour: Behaviour, cause: Cause) -> None:
    bench, tasks = bench_with(tmp_path, Fault(sample=16 * 3 + 9, behaviour=behaviour))
    with pytest.raises(GroupEnded) as ended:
        make_group(bench, tasks)
    assert ended.value.place == 3
    assert ended.value.attempt is not None and ended.value.attempt.cause == cause
    assert committed(bench) == [0, 1, 2]
    session = bench.run.staging / "000001"
    assert take_words(session, 3, 1) == ended.value.attempt
    assert list(session.iterdir()) == []


def test_a_refused_sample_is_left_out_and_the_group_goes_on(tmp_path: Path) -> None:
    bench, tasks = bench_with(tmp_path, Fault(sample=16 * 3 + 9, behaviour="refuse"))
    make_group(bench, tasks)
    assert committed(bench) == list(range(8))
    record = read_record(bench.run, 3)
    assert record is not None
    assert [sample.sample for sample in record.quarantined] == [16 * 3 + 9]


def test_an_error_of_the_job_passes_through(tmp_path: Path) -> None:
    bench, tasks = bench_with(tmp_path, *(Fault(sample=sample, behaviour="refuse") for sample in range(16)))
    with pytest.raises(UsageError, match="not one sample"):
        make_group(bench, [replace(tasks[0], first=True)])


def test_shards_slower_than_was_thought_are_given_back(tmp_path: Path) -> None:
    """A clock by which each shard takes six tenths of the longest time: the second is begun, the third is not."""
    bench, tasks = bench_with(tmp_path)

    def clock() -> float:
        return 0.6 * LONGEST_S * len(committed(bench))

    with pytest.raises(GroupEnded) as ended:
        make_group(bench, tasks, clock=clock)
    assert (ended.value.place, ended.value.attempt) == (2, None)
    assert committed(bench) == [0, 1]


def test_a_worker_that_is_asked_to_leave_ends_the_shard_it_has_and_begins_no_other(tmp_path: Path) -> None:
    bench, tasks = bench_with(tmp_path)
    departure = Departure()

    def clock() -> float:
        departure.requested = len(committed(bench)) >= 2
        return 0.0

    with pytest.raises(GroupEnded) as ended:
        make_group(bench, tasks, clock=clock, departure=departure)
    assert ended.value.place == 2
    assert ended.value.attempt is not None and ended.value.attempt.cause == Cause.STOPPED
    assert committed(bench) == [0, 1]


def make_all(path: Path, ready: Barrier) -> None:
    bench, tasks = bench_with(path)
    ready.wait()
    make_group(bench, tasks)


def test_of_two_workers_at_the_same_group_the_first_commit_of_each_shard_wins(tmp_path: Path) -> None:
    """A worker that was cut off, and the one that got its shards: both end well, and each shard is there once."""
    bench, _ = bench_with(tmp_path)
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(2)
    rivals = [context.Process(target=make_all, args=(tmp_path, ready)) for _ in range(2)]
    for rival in rivals:
        rival.start()
    for rival in rivals:
        rival.join(60)
    assert [rival.exitcode for rival in rivals] == [0, 0]
    makers = {record.pid for number in range(8) if (record := read_record(bench.run, number))}
    assert makers <= {rival.pid for rival in rivals}
    for folder in ("staging/000001", "staging"):
        (bench.run.path / folder).rmdir()
    check_complete(bench.run, bench.job_file)
