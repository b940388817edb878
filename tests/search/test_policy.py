"""Failures are repeated by their cause, and no trial is begun that the budget has no room for."""

from __future__ import annotations

import time as clock
from datetime import datetime, time

import pytest

from xpshpc.cluster.ranks.gang import RankCrashed, RankKilled
from xpshpc.cluster.slurm.commands import SlurmRefused
from xpshpc.config import Budget, TrialAllowances
from xpshpc.errors import EnvironmentFault, UsageError, XpshpcError
from xpshpc.search.forecast import UnderWay, foresee_hours, make_forecast
from xpshpc.search.outcome import Outcome
from xpshpc.search.policy import (
    Cause,
    Decision,
    Hours,
    Verdict,
    cause_of,
    decide,
    judge_budget,
    next_deadline,
    pause_s,
)
from xpshpc.search.state import State

ALLOWANCES = TrialAllowances(killed=2, crash=1, environment=3)


@pytest.mark.parametrize(
    ("error", "told_by_rank", "cause"),
    [
        (UsageError("loss or gradient is not finite"), True, Cause.REFUSED),
        (UsageError("another process is training this run"), False, Cause.USAGE),
        (SlurmRefused("invalid partition specified"), False, Cause.USAGE),
        (RankKilled("rank 0 was ended by SIGKILL"), False, Cause.KILLED),
        (RankCrashed("rank 0 left with exit code 1"), False, Cause.CRASH),
        (XpshpcError("the weights of rank 1 are not those of rank 0"), True, Cause.CRASH),
        (EnvironmentFault("no mpirun"), False, Cause.ENVIRONMENT),
    ],
)
def test_an_error_has_a_cause(error, told_by_rank, cause):
    assert cause_of(error, told_by_rank=told_by_rank) is cause


def test_a_trial_that_diverged_is_never_repeated_and_what_is_no_trials_fault_fails_none():
    generous = TrialAllowances(killed=99, crash=99, environment=99)
    assert decide(Cause.REFUSED, 1, generous) is Decision.GIVE_UP
    assert decide(Cause.USAGE, 1, generous) is Decision.STOP


@pytest.mark.parametrize(
    ("cause", "repeated", "then"),
    [(Cause.KILLED, 2, Decision.GIVE_UP), (Cause.CRASH, 1, Decision.GIVE_UP), (Cause.ENVIRONMENT, 3, Decision.STOP)],
)
def test_each_cause_has_an_allowance_of_its_own(cause, repeated, then):
    decisions = [decide(cause, failures, ALLOWANCES) for failures in range(1, repeated + 2)]
    assert decisions == [Decision.AGAIN] * repeated + [then]


def test_only_the_machine_is_given_time_and_more_of_it_each_time():
    pauses = [pause_s(Cause.ENVIRONMENT, failures) for failures in range(1, 9)]
    assert pauses == sorted(pauses) and pauses[0] > 0 and pauses[-1] == pauses[-2]
    assert pause_s(Cause.KILLED, 3) == pause_s(Cause.CRASH, 3) == 0


@pytest.mark.parametrize(
    ("deadline", "seconds", "verdict"),
    [
        (None, 1e6, Verdict.GO),
        (1000.0, 0.0, Verdict.GO),
        (99.0, 0.0, Verdict.OUT_OF_TIME),
        (130.0, 30.0, Verdict.GO),
        (129.0, 30.0, Verdict.OUT_OF_TIME),
    ],
)
def test_a_trial_that_cannot_end_in_time_is_not_begun(deadline, seconds, verdict):
    assert judge_budget(Budget(), deadline, now=100.0, seconds=seconds) is verdict


@pytest.mark.parametrize(
    ("limit", "hours", "exceeded"),
    [
        (None, Hours(1e9, 1e9, 1e9), False),
        (10.0, Hours(0.0, 0.0, 10.0), False),
        (10.0, Hours(6.0, 2.0, 2.0), False),
        (10.0, Hours(6.0, 2.0, 2.1), True),
        (10.0, Hours(8.0, 2.0, 0.0), True),
    ],
)
def test_what_runs_already_has_a_claim_on_the_hours_that_are_left(limit, hours, exceeded):
    cores = judge_budget(Budget(core_hours=limit), None, now=0.0, seconds=1.0, core_hours=hours)
    gpus = judge_budget(Budget(gpu_hours=limit), None, now=0.0, seconds=1.0, gpu_hours=hours)
    assert (cores is Verdict.OUT_OF_CORE_HOURS) is (gpus is Verdict.OUT_OF_GPU_HOURS) is exceeded


def test_before_anything_has_ended_only_what_is_held_counts():
    forecast = make_forecast([Outcome()], cores=4, gpus=2)
    assert forecast.seconds(None) == forecast.seconds(3) == 0.0
    cores, gpus = foresee_hours(forecast, [Outcome()], [UnderWay(1800.0, 0.0)], 0.0)
    assert (cores, gpus) == (Hours(0.0, 2.0, 0.0), Hours(0.0, 1.0, 0.0))


def test_a_forecast_is_the_mean_of_what_ended_and_waiting_for_nodes_is_not_charged():
    ended = [
        Outcome(State.FINISHED, epochs=10, seconds=100.0, core_hours=0.1),
        Outcome(State.FINISHED, epochs=10, seconds=300.0, core_hours=0.1),
        Outcome(State.STOPPED, epochs=5, seconds=100.0, core_hours=0.05),
        Outcome(State.FAILED, core_hours=0.25, seconds=500.0),
    ]
    forecast = make_forecast(ended, cores=4, gpus=0)
    assert forecast.seconds(None) == 200.0 and forecast.seconds(2) == 2 * 500 / 25
    cores, gpus = foresee_hours(forecast, ended, [UnderWay(50.0, 200.0), UnderWay(250.0, 200.0)], 200.0)
    assert cores.spent == pytest.approx(0.5) and gpus == Hours()
    assert cores.under_way == pytest.approx(450 * 0.5 / 1000) and cores.next == pytest.approx(200 * 0.5 / 1000)


@pytest.mark.parametrize(
    ("asked", "until"),
    [
        ("2026-11-21T22:00", "2026-11-22T07:00"),
        ("2026-11-22T06:59", "2026-11-22T07:00"),
        ("2026-11-22T07:00", "2026-11-23T07:00"),
        ("2026-12-31T23:59", "2027-01-01T07:00"),
    ],
)
def test_the_deadline_is_the_next_time_that_the_clock_shows_it(asked, until):
    found = next_deadline(time(7), datetime.fromisoformat(asked).timestamp())
    assert found == datetime.fromisoformat(until).timestamp()
    assert next_deadline(None, clock.time()) is None
