"""Failures are repeated by their cause, and no trial is begun that the budget has no room for."""

from __future__ import annotations

import time as clock
from datetime import datetime, time

import pytest

from xpshpc.cluster.ranks.gang import RankCrashed, RankKilled
from xpshpc.cluster.slurm.commands import SlurmRefused
from xpshpc.config import TrialAllowances
from xpshpc.errors import EnvironmentFault, UsageError, XpshpcError
from xpshpc.search.policy import Cause, Decision, Verdict, cause_of, decide, judge_budget, next_deadline, pause_s

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
    ("trials", "deadline", "done", "seconds", "verdict"),
    [
        (None, None, 10**6, [1.0], Verdict.GO),
        (3, None, 2, [1.0, 1.0], Verdict.GO),
        (3, None, 3, [1.0, 1.0], Verdict.ENOUGH_TRIALS),
        (None, 1000.0, 0, [], Verdict.GO),
        (None, 99.0, 0, [], Verdict.OUT_OF_TIME),
        (None, 130.0, 2, [20.0, 40.0], Verdict.GO),
        (None, 129.0, 2, [20.0, 40.0], Verdict.OUT_OF_TIME),
        (3, 129.0, 3, [20.0, 40.0], Verdict.ENOUGH_TRIALS),
    ],
)
def test_a_trial_that_cannot_end_in_time_is_not_begun(trials, deadline, done, seconds, verdict):
    assert judge_budget(trials, deadline, done=done, seconds=seconds, now=100.0) is verdict


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
