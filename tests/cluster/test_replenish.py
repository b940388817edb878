"""How many worker jobs are asked for, which end of a job is a failure, and when it is enough: decided without SLURM."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.cluster.site import Limits
from xpshpc.cluster.workers.replenish import (
    FORGOTTEN,
    LONGEST_PAUSE_S,
    EndedJob,
    Failure,
    History,
    arrays,
    judge,
    note_failure,
    note_joined,
    pause_s,
    staff,
    to_judge,
)

LIMITS = Limits(failed_allocations=3, node_failures=2)


def ended(state: str, node: str = "node1", job_id: str = "7_0") -> EndedJob:
    return EndedJob(job_id, state, "", (node,) if node else ())


def failed(history: History, node: str, now: float = 0.0) -> History:
    return note_failure(history, Failure("7_0", node, "FAILED"), LIMITS, now)


@given(active=st.integers(0, 100), wanted=st.integers(1, 100), most=st.none() | st.integers(1, 100))
def test_what_is_missing_is_asked_for_and_never_more_than_is_allowed(
    active: int, wanted: int, most: int | None
) -> None:
    decision = staff(History(), active, wanted, Limits(max_jobs=most), now=0)
    ceiling = wanted if most is None else min(wanted, most)
    assert active + decision.submit == max(active, ceiling)
    assert decision.give_up == ""


@pytest.mark.parametrize("state", ["COMPLETED", "CANCELLED", "PREEMPTED", "TIMEOUT", "UNKNOWN"])
def test_the_planned_end_of_a_job_that_has_worked_is_no_failure(state: str) -> None:
    assert judge(note_joined(History(), "7_0"), ended(state)) is None


@pytest.mark.parametrize("state", ["FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL"])
def test_a_fault_is_a_failure_of_its_node_though_the_job_has_worked(state: str) -> None:
    assert judge(note_joined(History(), "7_0"), ended(state)) == Failure("7_0", "node1", state)


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "TIMEOUT", "UNKNOWN"])
def test_a_job_that_ends_before_any_worker_of_it_joined_has_failed(state: str) -> None:
    failure = judge(History(), ended(state))
    assert failure is not None and "no worker of it ever joined" in failure.why


@pytest.mark.parametrize("state", ["CANCELLED", "PREEMPTED"])
def test_a_job_that_was_taken_from_us_has_not_failed(state: str) -> None:
    assert judge(History(), ended(state)) is None


def test_after_so_many_failures_in_a_row_it_gives_up_and_a_worker_that_joins_starts_the_row_anew() -> None:
    history = failed(failed(History(), "node1"), "node2")
    assert not staff(history, 0, 4, LIMITS, now=100).give_up
    assert staff(failed(history, "node3"), 0, 4, LIMITS, now=100).give_up
    assert not staff(failed(note_joined(history, "8_0"), "node3"), 0, 4, LIMITS, now=100).give_up


def test_a_node_is_left_out_after_its_failures_and_late_ones_of_it_count_no_more() -> None:
    history = failed(History(), "node1")
    assert history.excluded == ()
    history = failed(history, "node1")
    assert history.excluded == ("node1",)
    assert failed(history, "node1") == history


def test_joining_does_not_forgive_a_node() -> None:
    history = failed(note_joined(failed(History(), "node1"), "8_0"), "node1")
    assert history.excluded == ("node1",)


@given(st.integers(1, 100))
def test_pauses_between_failed_waves_double_up_to_the_longest(failures: int) -> None:
    assert pause_s(failures) == min(2.0 ** (failures - 1) if failures < 30 else LONGEST_PAUSE_S, LONGEST_PAUSE_S)


def test_nothing_is_asked_for_during_a_pause() -> None:
    history = failed(History(), "node1", now=10.0)
    assert staff(history, 0, 4, LIMITS, now=10.5).submit == 0
    assert staff(history, 0, 4, LIMITS, now=11.0).submit == 4


@given(jobs=st.integers(0, 5000), most=st.none() | st.integers(1, 1001))
def test_arrays_hold_all_jobs_and_none_is_larger_than_allowed(jobs: int, most: int | None) -> None:
    sizes = list(arrays(jobs, most))
    assert sum(sizes) == jobs
    assert all(1 <= size <= (most or jobs) for size in sizes)


def test_a_controller_that_forgets_a_whole_array_has_failed_once() -> None:
    history = note_joined(History(), "7_0")
    jobs = [ended(FORGOTTEN, "", f"7_{task}") for task in range(7)] + [ended("FAILED", job_id="8_0")] * 2
    failures = [failure for job in to_judge(history, jobs) if (failure := judge(history, job))]
    assert [failure.job_id for failure in failures] == ["7_1", "8_0", "8_0"]
