"""What follows a failure of SESSA."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from xpshpc.spectra.sessa.policy import Decision, Trouble, decide, is_worn

troubles = st.sampled_from(Trouble)


@given(troubles, st.integers(1, 20), st.booleans())
def test_a_sample_has_exactly_its_attempts(trouble: Trouble, attempts: int, answered: bool) -> None:
    decisions = [decide(trouble, attempt, attempts, has_answered=answered) for attempt in range(1, attempts + 1)]
    assert decisions[:-1] == [Decision.RETRY] * (attempts - 1)
    assert decisions[-1] is not Decision.RETRY


@given(troubles, st.integers(1, 20))
def test_a_program_that_has_worked_costs_a_sample_and_never_the_run(trouble: Trouble, attempts: int) -> None:
    assert decide(trouble, attempts, attempts, has_answered=True) is Decision.REFUSE


def test_a_program_that_never_worked_stops_the_run() -> None:
    stopped = {trouble for trouble in Trouble if decide(trouble, 3, 3, has_answered=False) is Decision.STOP}
    assert stopped == {Trouble.SILENT, Trouble.OVERTIME, Trouble.DIED}


@given(st.integers(1, 5000))
def test_a_process_makes_as_many_spectra_as_allowed(every: int) -> None:
    assert not is_worn(every - 1, every)
    assert is_worn(every, every)
