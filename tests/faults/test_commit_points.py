"""kill −9 at each point of the commit protocol: the shard is made again, or known again, with the same bytes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from tests.benches import first_task, make_shards, open_bench
from tests.invariants import check_complete, check_plan_is_covered, store_bytes
from tests.sources import numbers_job
from xpshpc.generate import shard_task
from xpshpc.generate.heartbeat import Heart
from xpshpc.run_directory import RunDirectory
from xpshpc.store.commit import clear_staging
from xpshpc.store.record import read_record
from xpshpc.store.verify import verify

pytestmark = pytest.mark.faults

ARRAYS = ["counts", "fraction", "index", "valid"]
POINTS = ["making", *(f"staged:{name}" for name in ARRAYS), *(f"linked:{name}" for name in ARRAYS), "recorded"]


class DeadlyHeart(Heart):
    """Kills its process when the work says it has come to a certain point."""

    point = ""

    def beat(self, step: str, *, piece: int | None = None, sample: int | None = None) -> None:
        super().beat(step, piece=piece, sample=sample)
        if step == self.point:
            os.kill(os.getpid(), signal.SIGKILL)


def die_at(path: Path, point: str) -> None:
    DeadlyHeart.point = point
    shard_task.Heart = DeadlyHeart  # type: ignore[attr-defined, misc]
    bench = open_bench(RunDirectory(path), numbers_job(40))
    shard_task.make_shard(bench, first_task(bench, 1))


@pytest.mark.parametrize("point", POINTS)
def test_killed_there_nothing_is_lost(tmp_path: Path, point: str) -> None:
    job = numbers_job(40)
    whole, run = RunDirectory(tmp_path / "whole"), RunDirectory(tmp_path / "run")
    make_shards(whole, job, [0, 1, 2])
    make_shards(run, job, [0])
    child = multiprocessing.get_context("spawn").Process(target=die_at, args=(run.path, point))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert list((run.staging / "000001").iterdir()) != []

    check_plan_is_covered(run)
    assert (read_record(run, 1) is not None) == (point == "recorded")
    clear_staging(run.staging)
    found = verify(run, job)
    linked = POINTS.index(point) - POINTS.index("linked:counts") + 1 if point.startswith("linked") else 0
    assert len(found.strays) == linked
    assert len(found.bad) == linked

    make_shards(run, job, [1, 2])
    check_complete(run, job)
    assert store_bytes(run) == store_bytes(whole)
