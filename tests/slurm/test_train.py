"""A network learns on SLURM's nodes what it learns on one host, whatever happens to the nodes meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.slurm.gang_on_nodes import step_for
from tests.train.stored_run import small_job, store_run
from xpshpc.cluster.minislurm import Cluster
from xpshpc.cluster.ranks.step import Step
from xpshpc.config import JobFile
from xpshpc.errors import Drained, EnvironmentFault
from xpshpc.evaluate.comparison import settle_comparison
from xpshpc.evaluate.evaluate import evaluate, metrics_path
from xpshpc.evaluate.set_scores import score_sets
from xpshpc.run_directory import RunDirectory
from xpshpc.train.checkpoint import latest_checkpoint
from xpshpc.train.history import EpochFinished, history_path, read_history
from xpshpc.train.launch import train
from xpshpc.train.result import checkpoints_path, settings_hash

pytestmark = [pytest.mark.slurm, pytest.mark.ranks]

EPOCHS = 24
LARGE = 1800


def two_nodes() -> Step:
    return step_for(2, memory_per_rank_mb=LARGE)


def fresh_run(folder: Path) -> tuple[RunDirectory, JobFile]:
    job_file = small_job(folder, epochs=EPOCHS)
    return store_run(folder, job_file), job_file


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDirectory, JobFile]:
    """A run that two ranks of this host trained from beginning to end."""
    run, job_file = fresh_run(tmp_path_factory.mktemp("reference"))
    train(run, job_file, ranks=2)
    return run, job_file


def assert_same_bits(run: RunDirectory, job_file: JobFile, reference: tuple[RunDirectory, JobFile]) -> None:
    mine, theirs = (
        latest_checkpoint(checkpoints_path(which), settings_hash(job_file)) for which in (run, reference[0])
    )
    assert mine is not None and theirs is not None
    for ours, expected in zip(mine.network + mine.optimizer, theirs.network + theirs.optimizer, strict=True):
        np.testing.assert_array_equal(ours, expected)
    losses = [[epoch.loss for epoch in read_history(history_path(which))] for which in (run, reference[0])]
    assert losses[0] == losses[1] and len(losses[0]) == EPOCHS


@pytest.mark.faults
def test_stopped_and_gone_on_with_it_learns_the_same_bits_as_on_one_host(reference, slurm_environment, tmp_path):
    run, job_file = fresh_run(tmp_path)

    def ask(event):
        if isinstance(event, EpochFinished) and event.epoch == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Drained):
        train(run, job_file, ranks=2, launcher="srun-gloo", step=two_nodes(), on_event=ask)
    assert not slurm_environment.leftovers()
    stopped = latest_checkpoint(checkpoints_path(run), settings_hash(job_file))
    assert stopped is not None
    result = train(run, job_file, ranks=2, launcher="srun-gloo", step=two_nodes())
    assert (result.ranks, result.resumed_from) == (2, stopped.progress.steps_done)
    assert_same_bits(run, job_file, reference)


@pytest.mark.faults
def test_a_node_without_power_costs_what_came_after_the_last_checkpoint(
    reference, slurm_environment: Cluster, tmp_path
):
    run, job_file = fresh_run(tmp_path)

    def cut(event):
        if isinstance(event, EpochFinished) and event.epoch == 2:
            (job,) = slurm_environment.status().jobs
            slurm_environment.kill_node(f"node{job.nodes.rstrip(']')[-1]}")

    with pytest.raises(EnvironmentFault):
        train(run, job_file, ranks=2, launcher="srun-gloo", step=two_nodes(), on_event=cut)
    assert not slurm_environment.leftovers() and not run.model.exists()
    result = train(run, job_file, ranks=2, launcher="srun-gloo", step=two_nodes())
    assert result.resumed_from is not None and result.resumed_from > 0
    assert_same_bits(run, job_file, reference)


def test_mpi_alone_finds_the_same_metrics_and_the_same_distance(reference, slurm_environment, tmp_path):
    run, job_file = reference
    found = {}
    for launcher, step in (("gloo", None), ("srun-pmix", two_nodes())):
        metrics_path(run).unlink(missing_ok=True)
        found[launcher] = evaluate(run, job_file, ranks=2, launcher=launcher, step=step).metrics
    alone, together = (_numbers(found[launcher]) for launcher in ("gloo", "srun-pmix"))
    np.testing.assert_allclose(together, alone, rtol=1e-9, atol=1e-9)
    random = np.random.default_rng(1)
    for name in "ab":
        np.savez(tmp_path / f"{name}.npz", features=random.standard_normal((90, 7)))
    comparison = settle_comparison(tmp_path / "a.npz", tmp_path / "b.npz")
    shared = score_sets(comparison, ranks=4, launcher="srun-pmix", step=step_for(4), scratch=tmp_path)
    assert shared.fid == pytest.approx(score_sets(comparison).fid, rel=1e-12)


def test_a_distance_over_nodes_leaves_nothing_beside_the_features(slurm_environment, tmp_path):
    random = np.random.default_rng(1)
    for name in "ab":
        np.savez(tmp_path / f"{name}.npz", features=random.standard_normal((90, 7)))
    files = [str(tmp_path / f"{name}.npz") for name in "ab"]
    told = []
    for words in ((), ("--on=minislurm", "--ranks=2")):
        done = subprocess.run(
            [sys.executable, "-m", "xpshpc", "fid", *files, *words, "--json"], capture_output=True, check=True
        )
        told.append(json.loads(done.stdout))
    assert [answer["ranks"] for answer in told] == [1, 2]
    assert told[1]["fid"] == pytest.approx(told[0]["fid"], rel=1e-12)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]


def _numbers(told: object) -> list[float]:
    if isinstance(told, dict):
        return [value for name in sorted(told) for value in _numbers(told[name])]
    return [float(told)] if isinstance(told, int | float) else []
