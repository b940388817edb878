"""The learning rate rises to its peak, then falls, and never leaves [peak/100, peak] after warm-up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.train.schedule import learning_rate


@given(st.integers(1, 500), st.floats(0, 1), st.floats(1e-6, 1.0))
def test_it_rises_then_falls(total, share, peak):
    warmup = share * total
    rates = [learning_rate(step, peak=peak, warmup_steps=warmup, total_steps=total) for step in range(total)]
    rising = [rate for step, rate in enumerate(rates) if step < warmup]
    falling = rates[len(rising) :]
    assert all(0 < rate <= peak for rate in rates)
    assert rising == sorted(rising) and len(set(rising)) == len(rising)
    assert falling == sorted(falling, reverse=True)
    assert all(rate >= peak / 100 * (1 - 1e-12) for rate in falling)


def test_known_values():
    rate = {"peak": 1.0, "warmup_steps": 9, "total_steps": 109}
    assert learning_rate(0, **rate) == pytest.approx(0.1)
    assert learning_rate(8, **rate) == pytest.approx(0.9)
    assert learning_rate(9, **rate) == 1.0
    assert learning_rate(59, **rate) == pytest.approx(0.505)
    assert learning_rate(109, **rate) == pytest.approx(0.01)


def test_without_warm_up_it_starts_at_the_peak():
    assert learning_rate(0, peak=0.5, warmup_steps=0, total_steps=10) == 0.5
