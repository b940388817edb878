"""A search on SLURM: several trials at a time, each with nodes of its own, inside a job and outside of any."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from tests.search.searched_job import searched_job
from tests.slurm.gang_on_nodes import step_for
from tests.train.stored_run import store_run
from xpshpc.cluster.minislurm import Cluster
from xpshpc.cluster.ranks.srun import srun_command
from xpshpc.cluster.ranks.step import Step
from xpshpc.events import StageProgressed
from xpshpc.search.room import Room
from xpshpc.search.search import search
from xpshpc.search.state import State

pytestmark = pytest.mark.slurm

PATIENCE_S = 240
THIRD_ONES_CHANCE_S = 3.0

STEPS = """
import os, subprocess, sys
from pathlib import Path
from tests.slurm.test_search import one_of_two
from xpshpc.cluster.ranks.srun import step_environment

folder, own = Path(sys.argv[1]), step_environment(os.environ, inside=True)
sruns = [subprocess.Popen(one_of_two(folder, name), env=own) for name in "abc"]
sys.exit(max(srun.wait() for srun in sruns))
"""


def one_of_two(folder: Path, name: str) -> list[str]:
    """A gang that says it is here, and stays until it is told to go."""
    step = Step(1, 1, memory_per_rank_mb=200, beside_others=True)
    stay = f"touch {folder}/{name}; while [ ! -e {folder}/go ]; do sleep 0.1; done"
    return srun_command(step, 1, mpi="none", inside=True, job_name=name, command=["sh", "-c", stay])


def wait_for(condition) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_inside_a_job_gangs_beside_each_other_share_no_core(slurm_environment: Cluster, tmp_path):
    """A job of two cores and memory for more: two gangs of one core begin, and the third waits for one of them."""
    script = tmp_path / "job.sh"
    root = Path(__file__).parents[2]
    script.write_text(f"#!/bin/sh\ncd {root}\n{sys.executable} - {tmp_path} <<'END'\n{STEPS}\nEND\n")
    words = ["--nodes=1", "--ntasks-per-node=1", "--cpus-per-task=2", "--mem=1900M", f"--output={tmp_path}/job.out"]
    answer = slurm_environment.run("sbatch", "--parsable", *words, str(script))
    assert answer.ok, answer.last_words()

    def here() -> int:
        return sum((tmp_path / name).exists() for name in "abc")

    wait_for(lambda: here() >= 2)
    time.sleep(THIRD_ONES_CHANCE_S)
    assert here() == 2
    (tmp_path / "go").touch()
    wait_for(lambda: here() == 3)
    wait_for(lambda: not slurm_environment.status().jobs)
    assert "error" not in (tmp_path / "job.out").read_text()


@pytest.mark.ranks
def test_outside_a_job_each_trial_is_a_job_of_its_own_and_two_run_at_a_time(slurm_environment: Cluster, tmp_path):
    rates = {"train.learning_rate": [1e-3, 3e-3, 5e-3]}
    job_file = searched_job(tmp_path, rates, train={"epochs": 30}, parallel=2)
    run = store_run(tmp_path, job_file)
    seen: list[frozenset[str]] = []

    def look(event: object) -> None:
        if isinstance(event, StageProgressed):
            seen.append(frozenset(job.id for job in slurm_environment.status().jobs))

    step = step_for(2, memory_per_rank_mb=1800)
    result = search(run, job_file, Room(2, parallel=2, launcher="srun-gloo", step=step), on_event=look)
    assert result.count(State.FINISHED) == 3 and result.as_json()["failures"] == []
    assert max(map(len, seen)) == 2
    assert len(frozenset().union(*seen)) == 3
    assert all(0 < outcome.core_hours < outcome.seconds * 2 / 3600 for outcome in result.outcomes.values())
    assert not slurm_environment.leftovers()
