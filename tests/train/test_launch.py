"""What cannot be trained is refused before any rank starts, and nothing is touched."""

import fcntl
import os
import time
from dataclasses import replace

import pytest

from tests.train.stored_run import small_job, store_run
from xpshpc.errors import EnvironmentFault, UsageError
from xpshpc.events import EventLog, StageProgressed, StageStarted
from xpshpc.follow import Follower
from xpshpc.run_directory import RunDirectory, alone_in
from xpshpc.store.lease import take_lease
from xpshpc.store.owner import this_owner
from xpshpc.train.check import check_stored, check_training
from xpshpc.train.launch import train
from xpshpc.train.result import card_path, read_result, settings_hash


@pytest.fixture(autouse=True)
def no_ranks(monkeypatch):
    def refuse(*arguments, **options):
        pytest.fail("ranks were started")

    monkeypatch.setattr("xpshpc.cluster.ranks.gang.run_gang", refuse)


def test_a_run_without_data_is_refused(tmp_path):
    job_file = small_job(tmp_path)
    with pytest.raises(UsageError, match="no data set to train on") as caught:
        train(RunDirectory(tmp_path / "none"), job_file, ranks=1)
    assert "generate" in caught.value.try_
    assert not (tmp_path / "none").exists()


def test_missing_shards_are_named(tmp_path):
    job_file = small_job(tmp_path)
    run = store_run(tmp_path, job_file, leave_out=frozenset({2, 9}))
    with pytest.raises(UsageError, match="2 of the shards to train on are not stored yet: 2, 9"):
        train(run, job_file, ranks=1)
    assert not run.train.exists()


def test_a_batch_the_ranks_cannot_share_is_refused(tmp_path):
    job_file = small_job(tmp_path)
    run = store_run(tmp_path, job_file)
    with pytest.raises(UsageError, match="cannot be shared evenly by 5 ranks"):
        train(run, job_file, ranks=5)
    assert not run.train.exists()


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A data set on which nothing was trained."""
    folder = tmp_path_factory.mktemp("stored")
    return store_run(folder, small_job(folder))


@pytest.mark.parametrize(
    ("settings", "ranks", "says"),
    [
        ({"accumulate": 5}, 2, r"24 samples of a batch cannot be computed in 5 equal parts"),
        ({"early_stopping": {"patience_epochs": 1, "metric": "acuracy"}}, 1, r"unknown metric 'acuracy'.*accuracy"),
        ({"global_batch": 288}, 16, r"9 training shard\(s\) are fewer than 16 ranks"),
        ({"train_samples": 60}, 3, r"2 training shard\(s\) are fewer than 3 ranks"),
        ({"train_samples": 40}, 1, r"40 training samples do not fill one batch of 48"),
        ({"train_samples": 289}, 1, r"there are 288 training samples, and train.samples asks for 289"),
        ({"global_batch": 300}, 1, r"288 training samples do not fill one batch of 300"),
        ({"elastic": {"min_ranks": 3}}, 2, r"2 rank\(s\) are fewer than the 3 that may be left"),
    ],
)
def test_what_the_job_alone_tells_is_refused_before_there_are_data(settings, ranks, says, stored, tmp_path):
    job_file = small_job(tmp_path, **settings)
    with pytest.raises(UsageError, match=says) as caught:
        check_training(job_file, ranks)
    assert caught.value.where and caught.value.try_
    check_training(small_job(tmp_path, train_samples=288, early_stopping={"patience_epochs": 1}), 8)
    with pytest.raises(UsageError, match=says):
        train(stored, job_file, ranks=ranks)
    assert not stored.train.exists()


def test_ranks_that_end_together_cannot_be_elastic(tmp_path):
    job_file = small_job(tmp_path, elastic={})
    check_training(job_file, 2)
    with pytest.raises(UsageError, match="ranks that 'mpirun' starts end together"):
        check_training(job_file, 2, "mpirun")


def test_samples_in_quarantine_do_not_count(tmp_path):
    half = dict.fromkeys(range(9), 16)
    run = store_run(tmp_path, small_job(tmp_path), quarantined=half)
    assert check_stored(run, small_job(tmp_path, train_samples=144)) is None
    with pytest.raises(UsageError, match=r"there are 144 training samples, and .* asks for 145"):
        check_stored(run, small_job(tmp_path, train_samples=145))
    with pytest.raises(UsageError, match="144 training samples do not fill one batch of 150"):
        check_stored(run, small_job(tmp_path, global_batch=150))
    with pytest.raises(UsageError, match=r"4 training shard\(s\) are fewer than 5 ranks"):
        check_stored(run, small_job(tmp_path, train_samples=60), ranks=5)


def test_validation_samples_that_are_all_in_quarantine_are_refused(tmp_path):
    job_file = small_job(tmp_path)
    run = store_run(tmp_path, job_file, quarantined=dict.fromkeys(range(9, 12), 32))
    with pytest.raises(UsageError, match="every validation sample is in quarantine"):
        train(run, job_file, ranks=1)
    assert not run.train.exists()


def test_too_few_shards_to_split_are_refused(tmp_path):
    job_file = small_job(tmp_path, samples=64)
    run = store_run(tmp_path, job_file)
    with pytest.raises(UsageError, match="cannot be split"):
        train(run, job_file, ranks=1)


def test_another_jobs_data_are_refused(tmp_path):
    run = store_run(tmp_path, small_job(tmp_path))
    with pytest.raises(UsageError, match="another job's data"):
        train(run, small_job(tmp_path, samples=800), ranks=1)


def test_other_settings_than_those_begun_with_are_refused_until_restarted(tmp_path, monkeypatch):
    class Launched(Exception):
        pass

    def note(*arguments, **options):
        raise Launched

    monkeypatch.setattr("xpshpc.cluster.ranks.gang.run_gang", note)
    job_file = small_job(tmp_path)
    run = store_run(tmp_path, job_file)
    with pytest.raises(Launched):
        train(run, job_file, ranks=1)
    (run.train / "checkpoints").mkdir()
    other = small_job(tmp_path, learning_rate=0.5)
    with pytest.raises(UsageError, match="other settings") as caught:
        train(run, other, ranks=1)
    assert "--restart" in caught.value.try_ and (run.train / "checkpoints").exists()
    with pytest.raises(Launched):
        train(run, other, ranks=1, restart=True)
    assert not (run.train / "checkpoints").exists()


def test_two_trainings_of_one_run_at_a_time_are_refused(tmp_path):
    job_file = small_job(tmp_path)
    run = store_run(tmp_path, job_file)
    run.train.mkdir()
    other = os.open(run.train / "lock", os.O_RDWR | os.O_CREAT)
    os.write(other, b"process 7 on node3, job 12\n")
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(UsageError, match=r"another process is training this run \(process 7 on node3, job 12\)"):
        train(run, job_file, ranks=1)
    os.close(other)


def test_a_training_on_another_host_is_refused_by_its_owners_name(tmp_path):
    job_file = small_job(tmp_path)
    run = store_run(tmp_path, job_file)
    here = this_owner(time.time(), {})
    there = replace(here, host="node3", pid_space="node3's", job_id="12", cluster="none")
    lease = take_lease(run, there, stage="train")
    with pytest.raises(UsageError, match=r"stage train of this run is being worked on by process \d+ on node3, job 12"):
        train(run, job_file, ranks=1)
    lease.release()
    assert take_lease(run, here, stage="train").generation == 2


def test_the_next_life_of_a_job_takes_its_training_over_at_once(tmp_path):
    run = RunDirectory(tmp_path)
    lives = [
        replace(this_owner(time.time(), {}), host=f"node{life}", pid_space=f"{life}", job_id="12", restarts=life)
        for life in range(2)
    ]
    take_lease(run, lives[0], stage="train")
    assert take_lease(run, lives[1], stage="train").is_ours


def test_a_job_that_slurm_has_started_twice_is_no_fault_of_the_job_file(tmp_path, monkeypatch):
    job_file = small_job(tmp_path)
    run = store_run(tmp_path, job_file)
    there = replace(this_owner(time.time(), {}), host="node3", pid_space="node3's", job_id="12", cluster="c")
    run.train.mkdir()
    take_lease(run, there, stage="train")
    with pytest.raises(EnvironmentFault, match=r"started this job twice.* on node3, job 12"):
        take_lease(run, replace(there, host="node1", pid_space="node1's"), stage="train", job_is_over=lambda _: False)
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    with alone_in(run.train, "training"), pytest.raises(EnvironmentFault, match="another start of this job"):
        train(run, job_file, ranks=1)


def test_the_settings_hash_holds_what_decides_the_network_and_nothing_else(tmp_path):
    base = settings_hash(small_job(tmp_path))
    same = small_job(tmp_path, ranks=2, keep_checkpoints=9, elastic={"min_ranks": 2})
    assert settings_hash(same) == base
    others = [
        small_job(tmp_path, epochs=4),
        small_job(tmp_path, learning_rate=2e-3),
        small_job(tmp_path, parameters={}),
        small_job(tmp_path, train_samples=100),
        small_job(tmp_path, early_stopping={"patience_epochs": 2}),
        small_job(tmp_path, samples=800),
    ]
    hashes = {settings_hash(other) for other in others}
    assert len(hashes) == len(others) and base not in hashes


def test_a_model_whose_bytes_changed_is_no_finished_training(tmp_path):
    run = RunDirectory(tmp_path)
    run.train.mkdir()
    assert read_result(run) is None
    run.model.write_bytes(b"model")
    card_path(run).write_text('{"sha256": "00", "training": {"settings": "s"}}')
    assert read_result(run) is None
    card_path(run).write_text("{")
    assert read_result(run) is None


def test_events_of_another_process_are_passed_on_once_and_whole(tmp_path):
    heard = []
    path = tmp_path / "events.jsonl"
    follower = Follower(path, [StageStarted, StageProgressed], heard.append)
    follower.pass_on()
    with EventLog(path) as log:
        log.emit(StageStarted("train", 9, 0, "steps"))
        follower.pass_on()
        with path.open("ab") as file:
            file.write(b'{"time":0,"event":"StageProgressed","stage":"train","done":3')
        follower.pass_on()
        assert heard == [StageStarted("train", 9, 0, "steps")]
        with path.open("ab") as file:
            file.write(b',"note":""}\n{"time":0,"event":"Unheard","of":1}\n')
        follower.pass_on()
        follower.pass_on()
    assert heard == [StageStarted("train", 9, 0, "steps"), StageProgressed("train", 3)]
