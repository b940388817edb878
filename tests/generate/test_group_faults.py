"""What strikes in the middle of a group is charged to the shard it strikes; the others stand, or are made for free."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.benches import make_shards
from tests.invariants import (
    attempts_of,
    check_attempts_follow_the_policy,
    check_complete,
    check_invariants,
    check_nothing_is_left,
    check_plan_is_covered,
    check_second_run_does_no_work,
    store_bytes,
)
from tests.sources import Behaviour, Fault, numbers_job
from xpshpc.errors import Drained
from xpshpc.events import Event, read_events
from xpshpc.generate import backlog
from xpshpc.generate.crew import Crew, Group
from xpshpc.generate.events import ShardStarted
from xpshpc.generate.generate import generate
from xpshpc.run_directory import RunDirectory
from xpshpc.store.identity import read_identity
from xpshpc.store.manifest import read_manifest
from xpshpc.store.verify import verify

pytestmark = pytest.mark.faults

SHARDS = 64
STRUCK = 39
SAMPLE = 16 * STRUCK + 9
SIZE = 8
ALLOWANCES = {"worker_lost": 2, "silent": 1, "crash": 1, "bad_output": 1}


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The groups as they are handed out, of eight shards however quick this machine is."""
    seen: list[list[int]] = []
    hand_out = Crew.hand_out

    def note(crew: Crew, group: Group) -> None:
        seen.append([task.shard.number for task in group])
        hand_out(crew, group)

    monkeypatch.setattr(Crew, "hand_out", note)
    monkeypatch.setattr(backlog, "group_size", lambda *_: SIZE)
    return seen


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    run = RunDirectory(tmp_path_factory.mktemp("undisturbed") / "run")
    make_shards(run, numbers_job(16 * SHARDS), range(SHARDS))
    return store_bytes(run)


def job_with(folder: Path, *faults: Fault, **settings: Any) -> Any:
    ledger = folder / "ledger"
    ledger.mkdir()
    return numbers_job(16 * SHARDS, silence_s=6.0, allowances=ALLOWANCES, faults=faults, ledger=ledger, **settings)


def all_attempts(run: RunDirectory) -> list[tuple[int, str]]:
    return [(number, attempt.cause) for number in range(SHARDS) for attempt in attempts_of(run, number)]


@pytest.mark.parametrize(
    ("behaviour", "cause"),
    [("kill", "worker_lost"), ("exit", "worker_lost"), ("hang", "silent"), ("raise", "crash"), ("nan", "bad_output")],
)
def test_a_passing_fault_is_charged_to_one_shard_which_then_goes_alone(
    tmp_path: Path, undisturbed: dict[str, str], groups: list[list[int]], behaviour: Behaviour, cause: str
) -> None:
    run, job = RunDirectory(tmp_path / "run"), job_with(tmp_path, Fault(sample=SAMPLE, behaviour=behaviour, times=1))
    result = generate(job, run, workers=2)
    assert result.failures == {cause: 1}
    assert all_attempts(run) == [(STRUCK, cause)]
    with_it = [group for group in groups if STRUCK in group]
    assert len(with_it[0]) == SIZE and with_it[0][0] != STRUCK
    assert with_it[-1] == [STRUCK]
    check_invariants(run, job, undisturbed)


@pytest.mark.parametrize(
    ("behaviour", "cause", "attempts"), [("kill", "worker_lost", 5), ("raise", "crash", 2), ("refuse", "refused", 0)]
)
def test_a_poison_sample_is_left_out_and_no_other_shard_pays(
    tmp_path: Path, groups: list[list[int]], behaviour: Behaviour, cause: str, attempts: int
) -> None:
    run, job = RunDirectory(tmp_path / "run"), job_with(tmp_path, Fault(sample=SAMPLE, behaviour=behaviour))
    result = generate(job, run, workers=2)
    assert (result.committed, result.quarantined) == (16 * SHARDS - 1, 1)
    assert all_attempts(run) == [(STRUCK, cause)] * attempts
    assert any(STRUCK in group[1:] for group in groups)
    check_complete(run, job, quarantined=(SAMPLE,))
    check_attempts_follow_the_policy(run, job)
    check_second_run_does_no_work(run, job)


def test_asked_to_stop_a_group_that_has_begun_comes_to_its_end_and_no_other_begins(
    tmp_path: Path, undisturbed: dict[str, str], groups: list[list[int]]
) -> None:
    run, job = RunDirectory(tmp_path / "run"), job_with(tmp_path, piece_s=0.05)
    struck: list[int] = []
    handed_out = 0

    def stop_in_the_middle(event: Event) -> None:
        nonlocal handed_out
        if isinstance(event, ShardStarted) and not struck and any(event.shard in group[1:] for group in groups):
            struck.append(event.shard)
            handed_out = len(groups)
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Drained):
        generate(job, run, workers=2, on_event=stop_in_the_middle)
    check_nothing_is_left(run)
    check_plan_is_covered(run)
    assert verify(run, job).ok
    identity = read_identity(run)
    assert identity is not None
    manifest = read_manifest(run, identity.plan())
    assert struck and manifest.committed[struck[0]]
    assert manifest.committed.sum() < SHARDS
    assert len(groups) == handed_out
    assert not [event for event in read_events(run.events) if event["event"] == "ShardFailed"]

    generate(job, run, workers=2)
    check_invariants(run, job, undisturbed)


def test_a_worker_asked_to_leave_in_the_middle_of_a_group_costs_nothing(
    tmp_path: Path, undisturbed: dict[str, str], groups: list[list[int]]
) -> None:
    run, job = RunDirectory(tmp_path / "run"), job_with(tmp_path, piece_s=0.05)
    asked: list[int] = []

    def ask_one_to_leave(event: Event) -> None:
        if isinstance(event, ShardStarted) and not asked and any(event.shard in group[1:] for group in groups):
            asked.append(event.pid)
            os.kill(event.pid, signal.SIGTERM)

    result = generate(job, run, workers=2, on_event=ask_one_to_leave)
    assert asked
    assert set(result.failures) <= {"stopped"}
    pids = Counter(event["pid"] for event in read_events(run.events) if event["event"] == "ShardCommitted")
    assert 0 < pids[asked[0]] < SHARDS
    check_invariants(run, job, undisturbed)
