"""Curves drawn in characters stand where their values say."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.report.curves import draw_bars, draw_loss
from xpshpc.report.text_chart import Curve, draw_chart
from xpshpc.train.history import EpochFinished

VALUES = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=40)


def history(*losses: float) -> list[EpochFinished]:
    return [
        EpochFinished(n, len(losses), loss, {"loss": 1.5 * loss}, 1.0, 1.0, 1e-3, 0.0)
        for n, loss in enumerate(losses, start=1)
    ]


def dotted_rows(lines: list[str]) -> list[int]:
    return [row for row, line in enumerate(lines[1:-2]) if re.search("[\u2801-\u28ff]", line)]


@given(values=VALUES, width=st.integers(30, 120), height=st.integers(4, 20))
def test_a_chart_keeps_its_width_and_reaches_both_ends(values: list[float], width: int, height: int) -> None:
    lines = draw_chart(
        [Curve("", range(len(values)), values)], width=width, height=height, x_label="x", y_label="", colour=False
    )
    body = lines[1:]
    assert len(body) == height + 2
    assert all(len(line) <= width for line in body)
    rows = dotted_rows(lines)
    if max(values) > 1.5 * min(values):
        assert rows[0] <= height // 10 + 1 and rows[-1] >= height - 2 - height // 10
    assert rows == list(range(rows[0], rows[-1] + 1)), "a curve of joined points has no gap"


def test_a_falling_curve_falls_from_left_to_right() -> None:
    lines = draw_chart([Curve("", [0, 1], [1, 0])], width=40, height=10, x_label="x", y_label="y", colour=False)[1:-2]
    columns = [re.search("[\u2801-\u28ff]", line).start() for line in lines]
    assert columns == sorted(columns) and columns[-1] > columns[0]


def test_values_over_decades_get_a_logarithmic_axis() -> None:
    straight = [10.0**-n for n in range(6)]
    chart = draw_chart([Curve("", range(6), straight)], width=40, height=11, x_label="", y_label="loss", colour=False)
    assert "logarithmic" in chart[0]
    columns = [re.search("[\u2801-\u28ff]", line).start() for line in chart[1:-2]]
    steps = [later - earlier for earlier, later in pairwise(columns[1:-1])]
    assert max(steps) - min(steps) <= 1, "an exponential is a straight line there"


def test_what_is_not_finite_is_left_out() -> None:
    nothing = draw_chart([Curve("", [0], [float("nan")])], width=40, height=8, x_label="", y_label="", colour=False)
    assert nothing == []
    assert draw_loss(history(0.5, float("nan"), 0.2), width=60, colour=False)


def test_the_loss_curve_fits_the_terminal_it_has() -> None:
    losses = history(0.5, 0.3, 0.2)
    wide = draw_loss(losses, width=80, colour=False)
    assert "training 0.2000" in wide and "validation 0.3000" in wide
    assert "\x1b" in draw_loss(losses, width=80) and "\x1b" not in wide
    narrow = draw_loss(losses, width=30, colour=False)
    assert "\n" not in narrow and len(narrow) <= 30
    assert draw_loss([], width=80) == ""


@pytest.mark.parametrize(("values", "bars"), [([1, 0.5, 0.25], "█▄▂"), ([0, 0], "▁▁"), ([3], "█"), ([8, 0], "█▁")])
def test_bars_are_as_high_as_their_values(values: list[float], bars: str) -> None:
    assert draw_bars(values) == bars
