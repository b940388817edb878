"""One coordinator a run, whoever else wants to be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.errors import EnvironmentFault, UsageError
from xpshpc.run_directory import RunDirectory
from xpshpc.store.beats import BEAT_S, EXPIRES_S, WATCH_S, watch_s
from xpshpc.store.lease import Lease, hold_lease, read_owner, take_lease
from xpshpc.store.owner import Life, Owner, incarnation_is_over, life_of, this_owner

TEN_MINUTES = 600.0


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path / "run")


def me() -> Owner:
    return this_owner(time.time(), {})


def elsewhere(job_id: str = "", restarts: int = 0) -> Owner:
    return replace(me(), host="elsewhere", pid_space="another boot", job_id=job_id, cluster="c", restarts=restarts)


def nobody_knows(owner: Owner) -> bool | None:
    return None


class Watch:
    """A monotonic clock that only `sleep` moves; while it moves, `happens` may happen on the disk."""

    def __init__(self, happens: Callable[[float], None] = lambda _: None) -> None:
        self.now = 0.0
        self.happens = happens

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.happens(self.now)

    def take(self, run: RunDirectory) -> Lease:
        return take_lease(run, me(), job_is_over=nobody_knows, monotonic=self.monotonic, sleep=self.sleep)


def beaten(lease: Lease, age_s: float) -> Path:
    """The lease's file, as if its last beat were so old (or of the future, where the age is below zero)."""
    file = lease.folder / f"{lease.generation:06d}.json"
    os.utime(file, (time.time() - age_s,) * 2)
    return file


def dead_owner() -> Owner:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    return replace(me(), pid=child.pid, born=1)


def test_the_second_is_refused_with_the_owners_name(run: RunDirectory) -> None:
    with hold_lease(run), pytest.raises(UsageError, match=f"process {os.getpid()} on .* since"):
        take_lease(run, me())
    assert read_owner(run) is not None and not read_owner(run)[1]  # type: ignore[index]
    with hold_lease(run):
        assert read_owner(run)[1]  # type: ignore[index]


def test_a_dead_owner_on_this_host_is_replaced_at_once(run: RunDirectory) -> None:
    take_lease(run, dead_owner())
    assert take_lease(run, me()).generation == 2


def test_a_number_that_a_later_process_got_does_not_hold_the_run(run: RunDirectory) -> None:
    take_lease(run, replace(me(), born=me().born - 1))
    assert take_lease(run, me()).generation == 2


def test_a_number_means_nothing_in_another_container_or_after_a_boot(run: RunDirectory) -> None:
    take_lease(run, replace(dead_owner(), pid_space="another boot"))
    with pytest.raises(UsageError, match="being worked on"):
        take_lease(run, me())


def test_a_lease_of_an_older_version_is_read_and_judged_by_its_host(run: RunDirectory) -> None:
    older = {key: asdict(dead_owner())[key] for key in ("host", "pid", "born", "since", "job_id", "released")}
    (run.path / "lease").mkdir(parents=True)
    file = run.path / "lease" / "000001.json"
    file.write_text(json.dumps({**older, "pid": os.getpid(), "born": me().born}))
    with pytest.raises(UsageError, match=f"process {os.getpid()} on"):
        take_lease(run, me())
    file.write_text(json.dumps(older))
    assert take_lease(run, me()).generation == 2


def test_another_host_is_believed_while_it_beats(run: RunDirectory) -> None:
    lease = take_lease(run, elsewhere())
    with pytest.raises(UsageError, match="on elsewhere"):
        take_lease(run, me())
    beaten(lease, EXPIRES_S + 5)
    watch = Watch()
    assert watch.take(run).generation == 2
    assert watch.now >= WATCH_S


@pytest.mark.parametrize("step", [TEN_MINUTES, -TEN_MINUTES])
def test_a_stepped_clock_steals_no_lease_from_who_beats(run: RunDirectory, step: float) -> None:
    """The owner's beats bear the time of a clock that differs by ten minutes from the one here."""
    lease = take_lease(run, elsewhere())
    file = beaten(lease, step)

    def beat(now: float) -> None:
        if now % BEAT_S == 0:
            os.utime(file, (time.time() - step + now,) * 2)

    with pytest.raises(UsageError, match="on elsewhere"):
        Watch(beat).take(run)
    assert read_owner(run) is not None and read_owner(run)[0].host == "elsewhere"  # type: ignore[index]


@pytest.mark.parametrize("step", [TEN_MINUTES, -TEN_MINUTES, -1e9])
def test_a_stepped_clock_keeps_no_dead_owner(run: RunDirectory, step: float) -> None:
    beaten(take_lease(run, elsewhere()), step)
    assert Watch().take(run).generation == 2


@given(st.floats(-1e9, 1e9))
def test_no_lease_is_taken_unseen_and_none_watched_for_longer_than_a_silence(age: float) -> None:
    watch = watch_s(age)
    if watch is None:
        assert -BEAT_S < age < EXPIRES_S
    else:
        assert WATCH_S <= watch <= EXPIRES_S


def test_who_takes_over_first_while_two_watch_is_the_owner(run: RunDirectory) -> None:
    beaten(take_lease(run, elsewhere()), EXPIRES_S + 5)

    def another_is_faster(now: float) -> None:
        if now == WATCH_S / 2:
            Watch().take(run)

    with pytest.raises(UsageError, match=f"process {os.getpid()}"):
        Watch(another_is_faster).take(run)


def test_an_owner_whose_job_is_over_is_replaced_at_once(run: RunDirectory) -> None:
    asked: list[str] = []

    def over(owner: Owner) -> bool | None:
        asked.append(owner.job_id)
        return True

    take_lease(run, elsewhere("17"))
    assert read_owner(run) is not None and read_owner(run)[1]  # type: ignore[index]
    assert take_lease(run, me(), job_is_over=over).generation == 2
    assert asked == ["17"]


@pytest.mark.parametrize("answer", [None, False])
def test_an_owner_whose_job_runs_or_is_unknown_is_believed_while_it_beats(
    run: RunDirectory, answer: bool | None
) -> None:
    take_lease(run, elsewhere("17"))
    with pytest.raises(UsageError, match="on elsewhere, job 17"):
        take_lease(run, me(), job_is_over=lambda _: answer)


def test_a_job_that_was_requeued_goes_on_at_once(run: RunDirectory) -> None:
    take_lease(run, elsewhere("17", restarts=1))
    again = replace(me(), job_id="17", cluster="c", restarts=2)
    assert take_lease(run, again, job_is_over=nobody_knows).generation == 2


@pytest.mark.parametrize("change", [{"restarts": 1}, {"cluster": "d", "restarts": 9}, {"job_id": "18", "restarts": 9}])
def test_only_a_later_life_of_the_same_job_inherits(change: dict[str, Any]) -> None:
    mine = replace(me(), **{"job_id": "17", "cluster": "c", **change})
    assert life_of(elsewhere("17", restarts=1), mine, nobody_knows) is Life.UNKNOWN


def test_this_owner_knows_its_job() -> None:
    told = {"SLURM_JOB_ID": "17", "SLURM_CLUSTER_NAME": "c", "SLURM_RESTART_COUNT": "3"}
    owner = this_owner(1.0, told)
    assert (owner.job_id, owner.cluster, owner.restarts) == ("17", "c", 3)
    assert this_owner(1.0, {}).restarts == 0
    assert owner.shares_pids_with(me())


@dataclass(frozen=True)
class Told:
    over: bool = False
    waiting: bool = False
    restarts: int = 0


@pytest.mark.parametrize(
    ("told", "over"),
    [
        ([], None),
        ([Told()], False),
        ([Told(over=True)], True),
        ([Told(waiting=True)], True),
        ([Told(restarts=2)], True),
        ([Told(restarts=1)], False),
        ([Told(over=True), Told(restarts=1)], False),
    ],
)
def test_a_job_that_waits_or_runs_anew_has_left_its_earlier_life(told: list[Told], over: bool | None) -> None:
    assert incarnation_is_over(told, 1 if any(each.restarts for each in told) else 0) is over


def test_an_owner_whose_file_is_gone_notices(run: RunDirectory) -> None:
    lease = take_lease(run, me())
    (lease.folder / "000001.json").unlink()
    with pytest.raises(EnvironmentFault, match="taken this run over"):
        lease.beat()


def test_who_was_taken_over_notices(run: RunDirectory) -> None:
    old = take_lease(run, dead_owner())
    old.beat()
    take_lease(run, me())
    overtaken = Lease(old.folder, old.generation, old.owner, old.run)
    with pytest.raises(EnvironmentFault, match="taken this run over"):
        overtaken.beat()


def test_of_many_contenders_for_a_dead_owners_run_one_wins(run: RunDirectory) -> None:
    take_lease(run, dead_owner())

    def contend(number: int) -> bool:
        try:
            take_lease(run, replace(me(), job_id=str(number)))
        except UsageError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(contend, range(64))) == 1


def test_nothing_but_the_last_lease_stays(run: RunDirectory) -> None:
    for _ in range(3):
        with hold_lease(run):
            pass
    assert [file.name for file in (run.path / "lease").iterdir()] == ["000003.json"]
