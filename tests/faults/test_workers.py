"""Workers that die, freeze, hang or lie: others make their shards, what is poison is left out, no byte changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.invariants import attempts_of, check_complete, store_bytes
from tests.sources import Behaviour, Fault, numbers_job
from xpshpc.errors import EnvironmentFault
from xpshpc.events import Event, read_events
from xpshpc.generate import fanout
from xpshpc.generate.events import ShardCommitted, WorkerKilled, WorkersStarted
from xpshpc.generate.generate import GenerateResult, generate
from xpshpc.run_directory import RunDirectory

pytestmark = pytest.mark.faults

ALLOWANCES: Mapping[str, int] = {"worker_lost": 2, "silent": 1, "crash": 1, "bad_output": 1}
SILENCE_S = 4.0


def run_with(folder: Path, *faults: Fault, events: list[Event] | None = None, **job: Any) -> tuple[Any, GenerateResult]:
    """A data set of 100 samples made by two workers under these faults."""
    run = RunDirectory(folder / "run")
    ledger = folder / "ledger"
    ledger.mkdir()
    settings = {"silence_s": SILENCE_S, "allowances": ALLOWANCES, "faults": faults, "ledger": ledger, **job}
    result = generate(numbers_job(100, **settings), run, workers=2, on_event=(events or []).append)
    return run, result


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("undisturbed")
    run, _ = run_with(folder)
    return store_bytes(run)


@pytest.mark.parametrize(
    ("behaviour", "cause"), [("kill", "worker_lost"), ("exit", "worker_lost"), ("freeze", "silent"), ("hang", "silent")]
)
def test_a_passing_fault_costs_an_attempt_and_no_byte(
    tmp_path: Path, undisturbed: dict[str, str], behaviour: Behaviour, cause: str
) -> None:
    run, result = run_with(tmp_path, Fault(sample=20, behaviour=behaviour, times=1))
    check_complete(run, numbers_job(100))
    assert store_bytes(run) == undisturbed
    assert [attempt.cause for attempt in attempts_of(run, 1)] == [cause]
    assert result.failures == {cause: 1}
    failed = [event for event in read_events(run.events) if event["event"] == "ShardFailed"]
    assert [(event["shard"], event["cause"], event["decision"]) for event in failed] == [(1, cause, "retry")]


@pytest.mark.parametrize(
    ("behaviour", "cause", "expected_attempts"),
    [
        ("kill", "worker_lost", ALLOWANCES["worker_lost"] + 1 + 2),
        ("hang", "silent", ALLOWANCES["silent"] + 1 + 2),
        ("raise", "crash", ALLOWANCES["crash"] + 1),
        ("nan", "bad_output", ALLOWANCES["bad_output"] + 1),
        ("refuse", "refused", 0),
    ],
)
def test_a_poison_sample_is_left_out_and_its_shard_commits(
    tmp_path: Path, undisturbed: dict[str, str], behaviour: Behaviour, cause: str, expected_attempts: int
) -> None:
    run, result = run_with(tmp_path, Fault(sample=20, behaviour=behaviour))
    check_complete(run, numbers_job(100), quarantined=(20,))
    assert [attempt.cause for attempt in attempts_of(run, 1)] == [cause] * expected_attempts
    assert (result.committed, result.quarantined) == (99, 1)
    found = [event for event in read_events(run.events) if event["event"] == "SampleQuarantined"]
    assert [(event["shard"], event["sample"], event["cause"]) for event in found] == [(1, 20, cause)]
    others = {name: sha for name, sha in store_bytes(run).items() if "c.1" not in name}
    assert others == {name: sha for name, sha in undisturbed.items() if "c.1" not in name}


def test_several_faults_at_once_are_told_apart(tmp_path: Path) -> None:
    run, result = run_with(
        tmp_path,
        Fault(sample=3, behaviour="kill", times=2),
        Fault(sample=40, behaviour="raise", times=1),
        Fault(sample=41, behaviour="nan"),
        Fault(sample=70, behaviour="hang", times=1),
        Fault(sample=99, behaviour="refuse"),
    )
    check_complete(run, numbers_job(100), quarantined=(41, 99))
    assert result.failures == {"worker_lost": 2, "crash": 1, "bad_output": 2, "silent": 1}
    for shard, causes in {0: ["worker_lost"] * 2, 4: ["silent"], 6: []}.items():
        assert [attempt.cause for attempt in attempts_of(run, shard)] == causes
    assert Counter(attempt.cause for attempt in attempts_of(run, 2)) == {"crash": 1, "bad_output": 2}


def test_a_failure_is_counted_though_its_worker_dies_before_it_can_tell(
    tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    """Each strike ends the worker right after the attempt, when its answer is not yet on the way."""
    run, result = run_with(tmp_path, Fault(sample=20, behaviour="raise and die"))
    check_complete(run, numbers_job(100), quarantined=(20,))
    causes = [attempt.cause for attempt in attempts_of(run, 1)]
    assert causes == ["crash"] * (ALLOWANCES["crash"] + 1)
    assert result.failures["crash"] == len(causes)
    others = {name: sha for name, sha in store_bytes(run).items() if "c.1" not in name}
    assert others == {name: sha for name, sha in undisturbed.items() if "c.1" not in name}


def test_silence_is_caught_when_it_is_long_enough_and_slowness_is_not_silence(tmp_path: Path) -> None:
    """Each piece takes half of the allowed silence, each shard two pieces: slower than the limit as a whole."""
    events: list[Event] = []
    run = RunDirectory(tmp_path / "run")
    job = numbers_job(32, silence_s=SILENCE_S, piece_s=SILENCE_S / 2)
    result = generate(job, run, workers=2, on_event=events.append)
    assert result.failures == {}
    assert not [event for event in events if isinstance(event, WorkerKilled)]
    assert all(event.seconds > SILENCE_S for event in events if isinstance(event, ShardCommitted))


def test_a_worker_killed_from_outside_is_replaced(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    """kill −9 as soon as the first shard is in the store, whatever the worker is doing."""
    run = RunDirectory(tmp_path / "run")
    killed: list[int] = []

    def kill_the_worker_that_committed(event: Event) -> None:
        if isinstance(event, ShardCommitted) and not killed:
            killed.append(event.pid)
            psutil.Process(event.pid).kill()

    result = generate(numbers_job(100, piece_s=0.1), run, workers=2, on_event=kill_the_worker_that_committed)
    check_complete(run, numbers_job(100))
    assert store_bytes(run) == undisturbed
    assert set(result.failures) <= {"worker_lost"}
    pids = {event["pid"] for event in read_events(run.events) if event["event"] == "ShardCommitted"}
    assert len(pids) >= 2


def test_workers_that_never_begin_end_the_run_with_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "STALLED_S", 1.0)
    run = RunDirectory(tmp_path / "run")

    def freeze_all(event: Event) -> None:
        if isinstance(event, WorkersStarted):
            for process in psutil.Process().children():
                if "--multiprocessing-fork" in process.cmdline():
                    process.suspend()

    with pytest.raises(EnvironmentFault, match="no worker has begun a shard"):
        generate(numbers_job(100), run, workers=2, on_event=freeze_all)
    assert not run.staging.exists()


def test_no_process_is_left(tmp_path: Path) -> None:
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    run_with(tmp_path, Fault(sample=20, behaviour="freeze", times=1))
    left = [process for process in psutil.Process().children(recursive=True) if process.pid not in before]
    assert [process for process in left if "resource_tracker" not in " ".join(process.cmdline())] == []
