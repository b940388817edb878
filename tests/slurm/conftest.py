"""A real SLURM for the tests of this folder, brought up once; each test finds it idle, and its jobs go with it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from xpshpc.cluster.minislurm import Cluster, ClusterPlan, bring_up
from xpshpc.cluster.minislurm.daemon import stray_variables
from xpshpc.cluster.minislurm.requirements import missing_programs
from xpshpc.errors import EnvironmentFault

PATIENCE_S = 60


@pytest.fixture(scope="session")
def minislurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Four nodes of two cores and two fake GPUs, each in a pid namespace where that can be."""
    plan = ClusterPlan()
    need_programs(plan)
    with bring_up(tmp_path_factory.mktemp("slurm") / "cluster", plan) as cluster:
        yield cluster


@pytest.fixture
def slurm_environment(minislurm: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """The session's cluster as the SLURM of this process; whole and without jobs again after the test."""
    for name in stray_variables(os.environ):
        monkeypatch.delenv(name)
    for name, text in minislurm.environment.items():
        monkeypatch.setenv(name, text)
    yield minislurm
    make_whole(minislurm)


def need_programs(plan: ClusterPlan) -> None:
    """Skips the test where something is not installed that a cluster of this plan is made of."""
    missing = missing_programs(plan)
    if missing:
        pytest.skip(f"no SLURM here ({', '.join(missing)}); cluster/setup.sh installs it")


def bring_up_linked(root: Path, plan: ClusterPlan) -> Cluster:
    """A cluster of isolation net; skips the test, saying why, where this user can make no networks."""
    need_programs(plan)
    try:
        return bring_up(root, plan)
    except EnvironmentFault as fault:
        if fault.where != "isolation net":
            raise
        pytest.skip(f"no networks can be made here: {' '.join(fault.what.split())}")


def make_whole(cluster: Cluster) -> None:
    """Starts what a test has stopped, cancels all jobs, and waits until no trace of them is on the nodes."""
    cluster.start_controller()
    for node in cluster.nodes:
        cluster.start_node(node)
    end = time.monotonic() + PATIENCE_S
    while jobs := cluster.status().jobs:
        assert time.monotonic() < end, f"these jobs do not end: {jobs}"
        cluster.run("scancel", *(job.id for job in jobs))
        time.sleep(0.1)
    while any(node.state != "idle" for node in cluster.status().nodes) or cluster.leftovers():
        assert time.monotonic() < end, f"{cluster.status().nodes} {cluster.leftovers()}"
        time.sleep(0.1)
