from __future__ import annotations

import signal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.cluster.submission.ending import (
    BUG_RESTARTS,
    FIRST_DELAY_S,
    LONGEST_DELAY_S,
    SHORTEST_LIFE_S,
    Ending,
    Outcome,
    exit_status,
    judge_ending,
)
from xpshpc.errors import ExitCode

LONG = 3600.0
codes = st.integers(-31, 255)


@given(st.sampled_from([ExitCode.DONE, ExitCode.QUARANTINED]), st.booleans(), st.integers(0, 99))
def test_work_that_is_done_is_finished_whatever_came_before(code: int, asked: bool, charged: int) -> None:
    assert judge_ending(Ending(code, 1.0, asked), charged, 0).outcome is Outcome.FINISHED


@given(st.sampled_from([ExitCode.USAGE, ExitCode.VERIFICATION, 126, 127, 42]), st.integers(0, 9))
def test_what_another_try_cannot_mend_fails_at_once(code: int, charged: int) -> None:
    assert judge_ending(Ending(code, LONG), charged, 20).outcome is Outcome.FAILED


@pytest.mark.parametrize("code", [ExitCode.DRAINED, -signal.SIGTERM, -signal.SIGINT, 128 + signal.SIGTERM])
def test_being_asked_to_stop_costs_nothing_however_often(code: int) -> None:
    verdict = judge_ending(Ending(code, 1.0, asked=True), charged=99, allowed=0)
    assert (verdict.outcome, verdict.charged, verdict.delay_s) == (Outcome.REQUEUE, False, 0.0)


def test_a_stage_that_stops_by_itself_after_a_while_goes_on_and_one_that_does_at_once_uses_up_its_restarts() -> None:
    long, short = (Ending(ExitCode.DRAINED, lived) for lived in (SHORTEST_LIFE_S, SHORTEST_LIFE_S / 2))
    assert not judge_ending(long, 99, 0).charged
    assert judge_ending(short, 0, 20).charged
    assert judge_ending(short, 20, 20).outcome is Outcome.FAILED


@given(st.sampled_from([-signal.SIGKILL, -signal.SIGSEGV, 137, ExitCode.ENVIRONMENT]), st.integers(0, 20))
def test_death_and_a_faulty_machine_are_tried_again_as_often_as_allowed(code: int, allowed: int) -> None:
    outcomes = [judge_ending(Ending(code, LONG), charged, allowed).outcome for charged in range(allowed + 1)]
    assert outcomes == [Outcome.REQUEUE] * allowed + [Outcome.FAILED]


def test_delays_double_up_to_the_longest() -> None:
    delays = [judge_ending(Ending(-signal.SIGKILL, LONG), charged, 99).delay_s for charged in range(99)]
    assert delays[0] == FIRST_DELAY_S
    assert delays[-1] == LONGEST_DELAY_S
    assert all(after == min(2 * before, LONGEST_DELAY_S) for before, after in pairwise(delays))


def test_a_fault_of_the_program_is_tried_a_few_times_only() -> None:
    crash = Ending(ExitCode.BUG, LONG)
    assert judge_ending(crash, BUG_RESTARTS - 1, 20).outcome is Outcome.REQUEUE
    assert judge_ending(crash, BUG_RESTARTS, 20).outcome is Outcome.FAILED


@given(codes, st.booleans(), st.floats(0, 1e6), st.integers(0, 50), st.integers(0, 50))
def test_no_failure_is_requeued_for_ever_and_every_verdict_says_why(
    code: int, asked: bool, lived: float, charged: int, allowed: int
) -> None:
    verdict = judge_ending(Ending(code, lived, asked), charged, allowed)
    assert verdict.why
    if verdict.charged:
        assert verdict.outcome is Outcome.REQUEUE
        assert charged < allowed
    elif verdict.outcome is Outcome.REQUEUE:
        assert asked or (code == ExitCode.DRAINED and lived >= SHORTEST_LIFE_S)


@given(codes)
def test_only_an_end_without_fault_has_the_exit_status_0(code: int) -> None:
    assert (exit_status(Ending(code, 1.0)) == 0) == (code == 0)
    assert 0 <= exit_status(Ending(code, 1.0)) <= 255
