"""A node whose link is cut works on: its shards are made elsewhere, and when it finishes late it changes nothing."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.benches import make_shards
from tests.coordinator import wait_until
from tests.invariants import check_invariants, store_bytes
from tests.slurm.actors import WORKER, actors, profile_of
from tests.slurm.conftest import bring_up_linked
from tests.sources import numbers_job
from xpshpc.cluster.minislurm import Cluster, ClusterPlan
from xpshpc.cluster.minislurm.daemon import stray_variables
from xpshpc.cluster.process import ProcessId, is_alive
from xpshpc.events import Event, read_events
from xpshpc.generate.events import ShardCommitted, ShardFailed
from xpshpc.generate.generate import generate
from xpshpc.run_directory import RunDirectory

pytestmark = [pytest.mark.slurm, pytest.mark.faults]

JOB: dict[str, Any] = {"samples": 480, "piece_s": 0.5, "silence_s": 60.0}
SHARDS = 30


@pytest.fixture
def linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster whose nodes have addresses and links of their own."""
    for name in stray_variables(os.environ):
        monkeypatch.delenv(name)
    with bring_up_linked(tmp_path / "cluster", ClusterPlan(isolation="net")) as cluster:
        for name, text in cluster.environment.items():
            monkeypatch.setenv(name, text)
        yield cluster


class Partition:
    """Cuts the node of a worker that is at a shard, holds the worker until another has made the shard, lets it go."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.node = ""
        self.zombies: list[ProcessId] = []
        self.attempt: tuple[int, int] = (-1, -1)
        self.over = threading.Event()
        self._commits = 0

    def watch(self, event: Event) -> None:
        if isinstance(event, ShardCommitted):
            self._commits += 1
            if self._commits == 4:
                self._cut(event.host)
            if event.shard == self.attempt[0]:
                self.over.set()
                self._release()
        if isinstance(event, ShardFailed) and event.host == self.node and self.attempt[0] < 0:
            self.attempt = (event.shard, event.attempt)

    def _cut(self, node: str) -> None:
        """As soon as the worker has begun its next shard, which the one that has just committed does at once."""
        time.sleep(0.3)
        self.node = node
        self.zombies = [process for process in actors(self.cluster)[WORKER] if _host(process) == node]
        for zombie in self.zombies:
            os.kill(zombie.pid, signal.SIGSTOP)
        self.cluster.cut_node(node)

    def _release(self) -> None:
        for zombie in self.zombies:
            if is_alive(zombie):
                os.kill(zombie.pid, signal.SIGCONT)


def _host(process: ProcessId) -> str:
    """The name of the node that a process is on."""
    words = Path(f"/proc/{process.pid}/environ").read_bytes().decode(errors="replace").split("\0")
    return next((word.partition("=")[2] for word in words if word.startswith("SLURMD_NODENAME=")), "")


def test_a_zombie_that_finishes_late_changes_nothing(linked: Cluster, tmp_path: Path) -> None:
    run, whole = RunDirectory(tmp_path / "run"), RunDirectory(tmp_path / "whole")
    partition = Partition(linked)
    result = generate(numbers_job(**JOB), run, workers=4, profile=profile_of(linked), on_event=partition.watch)
    assert partition.zombies and partition.over.is_set()
    assert set(result.failures) == {"worker_lost"}
    shard, attempt = partition.attempt
    made = [
        event for event in read_events(run.events) if event["event"] == "ShardCommitted" and event["shard"] == shard
    ]
    assert [event["attempt"] for event in made] == [attempt + 1]
    assert made[0]["host"] != partition.node
    linked.mend_node(partition.node)
    wait_until(lambda: not linked.leftovers() and not linked.status().jobs, timeout_s=120)
    make_shards(whole, numbers_job(**JOB), range(SHARDS))
    check_invariants(run, numbers_job(**JOB), store_bytes(whole))
