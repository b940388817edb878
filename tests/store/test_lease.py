"""One coordinator a run, whoever else wants to be."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from xpshpc.cluster.process import this_process
from xpshpc.errors import EnvironmentFault, UsageError
from xpshpc.run_directory import RunDirectory
from xpshpc.store.lease import EXPIRES_S, Lease, Owner, hold_lease, read_owner, take_lease


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path / "run")


def me() -> Owner:
    process = this_process()
    return Owner(process.host, process.pid, process.born, time.time())


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


def test_another_host_is_believed_while_it_beats(run: RunDirectory) -> None:
    lease = take_lease(run, replace(me(), host="elsewhere"))
    with pytest.raises(UsageError, match="on elsewhere"):
        take_lease(run, me())
    file = lease.folder / "000001.json"
    os.utime(file, (time.time() - EXPIRES_S - 5,) * 2)
    assert take_lease(run, me()).generation == 2


def test_who_was_taken_over_notices(run: RunDirectory) -> None:
    old = take_lease(run, dead_owner())
    old.beat()
    take_lease(run, me())
    overtaken = Lease(old.folder, old.generation, old.owner)
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
