"""What follows a failure is a function of its cause, the shard's history and the job's allowances."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.config import Allowances
from xpshpc.generate.policy import STUBBORN, Cause, Decision, Patience, decide, is_convicted
from xpshpc.generate.shard_task import ShardTask, next_attempt
from xpshpc.plan.shards import Shard
from xpshpc.store.record import Attempt

CHARGED = [Cause.WORKER_LOST, Cause.SILENT, Cause.CRASH, Cause.BAD_OUTPUT]
ALLOWANCES = Allowances(worker_lost=3, silent=1, crash=2, bad_output=0)


def failure(cause: Cause, number: int = 1, piece: int | None = 0, sample: int | None = None) -> Attempt:
    return Attempt(number, cause, "why", piece=piece, sample=sample)


def play(
    fail: Callable[[ShardTask], Attempt | None], allowances: Allowances = ALLOWANCES
) -> tuple[ShardTask, Decision]:
    """Attempts at a shard of 8 samples until one does not fail, or the policy gives up."""
    task, decision = ShardTask(Shard(0, 0, 8), 1, "session"), Decision.RETRY
    while (failed := fail(task)) is not None:
        decision = decide(failed, task.history, ALLOWANCES)
        if decision is Decision.GIVE_UP:
            break
        task = next_attempt(task, failed, decision)
        assert task.number < 1000
    return task, decision


@pytest.mark.parametrize("cause", CHARGED)
def test_an_allowance_is_the_number_of_failures_after_which_a_shard_is_made_again_whole(cause: Cause) -> None:
    allowed = getattr(ALLOWANCES, cause)
    history: tuple[Attempt, ...] = ()
    for number in range(1, allowed + 1):
        assert decide(failure(cause, number), history, ALLOWANCES) is Decision.RETRY
        history += (failure(cause, number),)
    assert decide(failure(cause, allowed + 1), history, ALLOWANCES) is Decision.ISOLATE


@given(st.lists(st.sampled_from(CHARGED), max_size=20), st.sampled_from(CHARGED))
def test_causes_have_accounts_of_their_own(history: list[Cause], cause: Cause) -> None:
    attempts = [failure(each, number) for number, each in enumerate(history, 1)]
    alone = [attempt for attempt in attempts if attempt.cause == cause]
    assert decide(failure(cause), attempts, ALLOWANCES) is decide(failure(cause), alone, ALLOWANCES)


@given(st.lists(st.sampled_from([Cause.DISK_FULL, Cause.STOPPED]), max_size=200), st.sampled_from(CHARGED))
def test_a_full_disk_and_a_planned_stop_cost_nothing(history: list[Cause], cause: Cause) -> None:
    attempts = [failure(each, number) for number, each in enumerate(history, 1)]
    assert decide(failure(Cause.DISK_FULL), attempts, ALLOWANCES) is Decision.WAIT
    assert decide(failure(Cause.STOPPED), attempts, ALLOWANCES) is Decision.REQUEUE
    assert decide(failure(cause), attempts, ALLOWANCES) is decide(failure(cause), [], ALLOWANCES)


@pytest.mark.parametrize("cause", [Cause.WORKER_LOST, Cause.SILENT])
@given(poison=st.sets(st.integers(0, 7)))
def test_every_poison_sample_and_no_other_is_convicted(cause: Cause, poison: set[int]) -> None:
    """Samples that kill whoever makes them: found one after the other, each at the price of two attempts."""

    def fail(task: ShardTask) -> Attempt | None:
        left = sorted(poison - {sample.sample for sample in task.quarantined})
        if not left:
            return None
        return failure(cause, task.number, 0, left[0] if 0 in task.isolated else None)

    task, _ = play(fail)
    assert {sample.sample for sample in task.quarantined} == poison
    whole = getattr(ALLOWANCES, cause) + 1 if poison else 0
    assert task.number == 1 + whole + 2 * len(poison)


def test_a_failure_that_touches_no_sample_ends_the_run_when_its_allowance_is_spent() -> None:
    task, decision = play(lambda task: failure(Cause.CRASH, task.number, piece=None))
    assert decision is Decision.GIVE_UP
    assert task.number == ALLOWANCES.crash + 1


def test_a_machine_that_kills_at_random_is_not_blamed_on_samples() -> None:
    def fail(task: ShardTask) -> Attempt:
        return failure(Cause.WORKER_LOST, task.number, 0, task.number if 0 in task.isolated else None)

    task, decision = play(fail)
    assert decision is Decision.GIVE_UP
    assert task.quarantined == ()
    assert task.number <= ALLOWANCES.worker_lost + 1 + STUBBORN + 2


@pytest.mark.parametrize("cause", [Cause.CRASH, Cause.BAD_OUTPUT])
@given(others=st.lists(st.sampled_from([Cause.CRASH, Cause.BAD_OUTPUT]), max_size=6))
def test_a_sample_made_by_itself_has_the_allowance_of_its_cause(cause: Cause, others: list[Cause]) -> None:
    history = [failure(other, number, 0, 0) for number, other in enumerate(others, 1)]
    spent = others.count(cause) >= getattr(ALLOWANCES, cause)
    assert is_convicted(failure(cause, len(others) + 1, 0, 0), history, ALLOWANCES) == spent


@given(st.integers(1, 10_000))
def test_delays_double_up_to_the_longest(failures: int) -> None:
    patience = Patience(first_s=1, longest_s=60)
    assert patience.delay(failures) == min(2.0 ** (failures - 1) if failures < 100 else 60.0, 60.0)
