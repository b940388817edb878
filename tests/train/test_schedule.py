"""The learning rate rises to its peak, then falls as asked, and grows with the batch as the literature says."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.config import Train
from xpshpc.train.schedule import FLOOR, Schedule, choose_schedule, scale_rate


@given(st.integers(1, 500), st.floats(0, 1), st.floats(1e-6, 1.0), st.sampled_from(["cosine", "steps", "constant"]))
def test_it_rises_then_falls(total, share, peak, shape):
    warmup = share * total
    schedule = Schedule(peak, warmup, total, shape, (0.5 * total, 0.9 * total), 0.3)
    rates = [schedule.rate(step) for step in range(total)]
    rising = [rate for step, rate in enumerate(rates) if step < warmup]
    falling = rates[len(rising) :]
    assert all(0 < rate <= peak for rate in rates)
    assert rising == sorted(rising) and len(set(rising)) == len(rising)
    assert falling == sorted(falling, reverse=True)
    assert all(rate >= peak * FLOOR * (1 - 1e-12) for rate in falling)


def test_known_values_of_the_cosine():
    schedule = Schedule(1.0, 9, 109)
    assert schedule.rate(0) == pytest.approx(0.1)
    assert schedule.rate(8) == pytest.approx(0.9)
    assert schedule.rate(9) == 1.0
    assert schedule.rate(59) == pytest.approx(0.505)
    assert schedule.rate(109) == pytest.approx(0.01)


def test_without_warm_up_it_starts_at_the_peak():
    assert Schedule(0.5, 0, 10).rate(0) == 0.5


def test_steps_fall_at_their_epochs_and_a_constant_rate_never():
    train = Train(
        epochs=10, learning_rate=1.0, warmup_epochs=0, schedule="steps", decay_epochs=(4, 8), decay_factor=0.1
    )
    schedule = choose_schedule(train, total_steps=50)
    rates = [schedule.rate(step) for step in range(50)]
    assert rates == pytest.approx([1.0] * 20 + [0.1] * 20 + [0.01] * 10)
    constant = choose_schedule(Train(epochs=10, learning_rate=0.5, warmup_epochs=2, schedule="constant"), 50)
    assert [constant.rate(step) for step in range(10, 50)] == [0.5] * 40
    assert constant.rate(9) < 0.5


def test_a_schedule_covers_all_epochs_whatever_their_number_of_steps():
    short, long = (choose_schedule(Train(epochs=4, warmup_epochs=1), steps) for steps in (40, 400))
    assert short.warmup_steps == 10 and long.warmup_steps == 100
    assert short.rate(25) == pytest.approx(long.rate(250))


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.floats(1e-6, 1.0))
def test_a_larger_batch_takes_larger_steps(batch, base, rate):
    def scaled(how, global_batch=batch):
        return scale_rate(
            Train(learning_rate=rate, learning_rate_scaling=how, global_batch=global_batch, base_batch=base)
        )

    assert scaled("none") == rate
    assert scaled("linear") == pytest.approx(rate * batch / base)
    assert scaled("root") == pytest.approx(math.sqrt(scaled("linear") * rate))
    assert scaled("linear", base) == scaled("root", base) == rate
