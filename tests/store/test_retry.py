"""Samples in quarantine that are tried again leave no trace: the data set is that of a run without the fault (I2)."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.benches import make_shards
from tests.invariants import check_complete, check_plan_is_covered, store_bytes
from tests.sources import Fault, numbers_job
from xpshpc.config import JobFile
from xpshpc.errors import UsageError
from xpshpc.events import Event, read_events
from xpshpc.generate.generate import generate
from xpshpc.run_directory import RunDirectory, alone_in
from xpshpc.store import retry
from xpshpc.store.lease import hold_lease
from xpshpc.store.record import read_record, record_file
from xpshpc.store.retry import ShardReleased, release_quarantine, survey_quarantine

NO_SECOND_CHANCE = {"worker_lost": 0, "silent": 0, "crash": 0, "bad_output": 0}


@pytest.fixture
def job_file(tmp_path: Path) -> JobFile:
    """Seven shards of 16; samples 5 and 40 are refused once each, sample 70 twice."""
    ledger = tmp_path / "ledger"
    ledger.mkdir()
    faults = [Fault(sample=sample, behaviour="refuse", times=1) for sample in (5, 40)]
    faults.append(Fault(sample=70, behaviour="refuse", times=2))
    return numbers_job(100, faults=tuple(faults), ledger=ledger)


@pytest.fixture
def run(tmp_path: Path, job_file: JobFile) -> RunDirectory:
    run = RunDirectory(tmp_path / "run")
    make_shards(run, job_file, range(7))
    check_complete(run, job_file, quarantined=(5, 40, 70))
    return run


def test_the_survey_counts_and_changes_nothing(run: RunDirectory, job_file: JobFile) -> None:
    before = store_bytes(run)
    found = survey_quarantine(run, job_file)
    assert (found.shards, found.samples, found.causes) == ((0, 2, 4), 3, {"refused": 3})
    assert found.made_again == 3 * 15 and found.core_s >= 0
    assert store_bytes(run) == before and not run.events.exists()


def test_released_shards_are_pending_and_nothing_else_changes(run: RunDirectory, job_file: JobFile) -> None:
    others = {number: record_file(run, number).read_bytes() for number in (1, 3, 5, 6)}
    assert release_quarantine(run, survey_quarantine(run, job_file)) == (0, 2, 4)
    assert {number: record_file(run, number).read_bytes() for number in others} == others
    assert all(read_record(run, number) is None for number in (0, 2, 4))
    assert not [file for number in (0, 2, 4) for file in run.data.glob(f"*/c.{number}*")]
    check_plan_is_covered(run)
    told = [event for event in read_events(run.events) if event["event"] == "ShardReleased"]
    assert [(event["shard"], event["quarantined"], event["causes"]) for event in told] == [
        (0, 1, {"refused": 1}), (2, 1, {"refused": 1}), (4, 1, {"refused": 1}),
    ]  # fmt: skip


def test_after_success_the_bytes_are_those_of_a_run_never_struck(
    tmp_path: Path, run: RunDirectory, job_file: JobFile
) -> None:
    sound = RunDirectory(tmp_path / "sound")
    make_shards(sound, numbers_job(100), range(7))
    release_quarantine(run, survey_quarantine(run, job_file))
    make_shards(run, job_file, (0, 2, 4))
    check_complete(run, job_file, quarantined=(70,))
    release_quarantine(run, survey_quarantine(run, job_file))
    make_shards(run, job_file, (4,))
    check_complete(run, job_file)
    assert store_bytes(run) == store_bytes(sound)
    assert survey_quarantine(run, job_file).shards == ()


@pytest.mark.faults
def test_the_next_generate_tries_what_killed_its_workers(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    ledger.mkdir()
    job_file = numbers_job(
        48, allowances=NO_SECOND_CHANCE, faults=(Fault(sample=20, behaviour="kill", times=3),), ledger=ledger
    )
    run, sound = RunDirectory(tmp_path / "run"), RunDirectory(tmp_path / "sound")
    assert generate(job_file, run, workers=1).quarantined == 1
    release_quarantine(run, survey_quarantine(run, job_file, "worker_lost"))
    assert generate(job_file, run, workers=1).committed == 48
    check_complete(run, job_file)
    make_shards(sound, numbers_job(48), range(3))
    assert store_bytes(run) == store_bytes(sound)


def test_a_cause_that_no_sample_has_is_named_with_those_there_are(run: RunDirectory, job_file: JobFile) -> None:
    with pytest.raises(UsageError, match="there are: refused"):
        survey_quarantine(run, job_file, "crash")


def test_a_run_that_is_worked_on_is_refused(run: RunDirectory, job_file: JobFile) -> None:
    found, before = survey_quarantine(run, job_file), store_bytes(run)
    run.train.mkdir()
    with alone_in(run.train, "training"), pytest.raises(UsageError, match="training this run"):
        release_quarantine(run, found)
    with hold_lease(run), pytest.raises(UsageError, match="being worked on by process"):
        release_quarantine(run, found)
    assert store_bytes(run) == before and len(list(run.commits.glob("0*.json"))) == 7


def test_a_shard_that_was_made_meanwhile_is_left(run: RunDirectory, job_file: JobFile) -> None:
    found = survey_quarantine(run, job_file)
    release_quarantine(run, found)
    make_shards(run, job_file, (0, 2))
    assert release_quarantine(run, found) == ()
    assert read_record(run, 0) is not None


@pytest.mark.faults
@pytest.mark.parametrize("at", [1, 2, 3])
def test_killed_between_record_and_files_the_next_generate_completes(
    run: RunDirectory, job_file: JobFile, at: int
) -> None:
    found = survey_quarantine(run, job_file)
    child = os.fork()
    if not child:
        heard: list[Event] = []

        def strike(event: Event) -> None:
            heard.append(event)
            if isinstance(event, ShardReleased) and len(heard) == at:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            retry.release_quarantine(run, found, strike)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    check_plan_is_covered(run)
    assert generate(job_file, run, workers=1).committed >= 97
    check_plan_is_covered(run)
    left = survey_quarantine(run, job_file)
    release_quarantine(run, left)
    generate(job_file, run, workers=1)
    release_quarantine(run, survey_quarantine(run, job_file))
    generate(job_file, run, workers=1)
    check_complete(run, job_file)
