"""Thirty random strikes at a run on a four-node SLURM: nothing lost, nothing twice, nothing left."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.chaos.recovery import Strength, to_next_commit
from benchmarks.chaos.strikes import Kind, plan_strikes
from tests.coordinator import ROOT
from xpshpc.cluster.minislurm import ClusterPlan
from xpshpc.cluster.minislurm.requirements import missing_programs

STRIKES = 30


@pytest.mark.slurm
@pytest.mark.faults
def test_thirty_random_strikes_cost_time_and_nothing_else() -> None:
    missing = missing_programs(ClusterPlan())
    if missing:
        pytest.skip(f"no SLURM here ({', '.join(missing)}); cluster/setup.sh installs it")
    command = [sys.executable, "-m", "benchmarks.chaos", "--kills", str(STRIKES)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=550, check=False)
    assert answer.returncode == 0, f"{answer.stdout}\n{answer.stderr}"
    assert "Nothing lost, nothing twice" in answer.stdout


def test_a_seed_gives_one_sequence_and_every_kind_has_its_turn() -> None:
    first, again, other = (plan_strikes(seed, 1.5) for seed in (1, 1, 2))
    plans = [next(first) for _ in range(1000)]
    assert plans == [next(again) for _ in range(1000)]
    assert plans != [next(other) for _ in range(1000)]
    assert {plan.kind for plan in plans} == set(Kind)
    assert sum(plan.gap_s for plan in plans) == pytest.approx(1500, rel=0.1)


def test_recovery_is_the_time_until_as_many_workers_as_before_are_there() -> None:
    def at(seconds: float, event: str) -> dict[str, object]:
        return {"time": seconds, "event": event}

    strength = Strength(
        [
            at(0, "StageStarted"),
            at(1, "WorkerJoined"),
            at(2, "WorkerJoined"),
            at(10.5, "WorkerLeft"),
            at(13, "WorkerJoined"),
            at(50, "StageStarted"),
            at(52, "WorkerJoined"),
            at(56, "WorkerJoined"),
            at(60.5, "WorkerLeft"),
        ]
    )
    assert [strength.at(seconds) for seconds in (0.5, 1.5, 5, 11, 20, 51, 100)] == [0, 1, 2, 1, 2, 0, 1]
    assert strength.recovery_s(10) == 3  # one worker lost, and replaced
    assert strength.recovery_s(20) == 0  # none was lost
    assert strength.recovery_s(49) == 7  # a new coordinator began with none
    assert strength.recovery_s(60) is None  # the run was over before
    assert strength.worker_seconds(61) == pytest.approx(1 + 8.5 * 2 + 2.5 + 37 * 2 + 4 + 4.5 * 2 + 0.5)


def test_the_next_commit_is_the_first_after_the_strike() -> None:
    assert to_next_commit([0.0, 1.0, 4.0], [3.0, 2.0, 0.5]) == [0.5, 1.0]
