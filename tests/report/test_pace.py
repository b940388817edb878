"""Rates and times left follow from counts and a clock alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.report.pace import WINDOW_S, Pace


@given(total=st.integers(1, 10**9), before=st.floats(0, 1), rate=st.floats(0.01, 1e6), steps=st.integers(1, 50))
def test_a_steady_stage_is_foretold_exactly(total: int, before: float, rate: float, steps: int) -> None:
    done = int(before * (total - 1))
    pace = Pace(total, done, now=100.0)
    duration = (total - done) / rate
    now = 100.0
    for step in range(1, steps + 1):
        now = 100.0 + duration * step / (2 * steps)
        pace.advance(done + (now - 100.0) * rate, now)
    assert pace.rate(now) == pytest.approx(rate, rel=1e-6)
    assert pace.left_s(now) == pytest.approx(duration - (now - 100.0), rel=1e-6)
    assert 0 <= pace.share() <= 1


def test_what_was_there_before_is_no_speed() -> None:
    pace = Pace(1000, 900, now=0.0)
    assert pace.rate(5.0) is None and pace.left_s(5.0) is None
    pace.advance(910, 5.0)
    assert pace.rate(5.0) == 2.0
    assert pace.left_s(5.0) == 45.0


def test_the_rate_is_that_of_the_last_window() -> None:
    pace = Pace(10**6, 0, now=0.0)
    for second in range(1, 101):
        pace.advance(second * 10, float(second))
    for second in range(101, 101 + int(WINDOW_S) + 1):
        pace.advance(1000 + (second - 100) * 50, float(second))
    assert pace.rate(100 + WINDOW_S) == pytest.approx(50, rel=0.05)


def test_a_pause_shows() -> None:
    pace = Pace(1000, 0, now=0.0)
    pace.advance(100, 10.0)
    assert pace.rate(20.0) < pace.rate(10.0)


def test_an_empty_stage_is_complete() -> None:
    assert Pace(0, 0, now=0.0).share() == 1
