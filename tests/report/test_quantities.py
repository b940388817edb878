"""Numbers are written as people read them, and none of their size is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.report.labels import split_unit, write_label, write_score
from xpshpc.report.quantities import write_count, write_duration, write_percent, write_rate, write_size, write_value


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0 s"), (0.0421, "0.042 s"), (9.94, "9.9 s"), (9.996, "10 s"), (48.4, "48 s"), (59.6, "1 min 00 s"),
        (725, "12 min 05 s"), (3599.7, "1 h 00 min"), (11520, "3 h 12 min"), (86399.6, "1 d 0 h"), (187200, "2 d 4 h"),
        (float("nan"), "unknown"), (float("inf"), "unknown"),
    ],
)  # fmt: skip
def test_durations_show_the_two_units_that_matter(seconds: float, written: str) -> None:
    assert write_duration(seconds) == written


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [
        (0.012345, 3, "0.0123"), (4.567, 3, "4.57"), (97.13, 3, "97.1"), (1234.5, 3, "1230"), (0.0, 3, "0"),
        (-0.5, 3, "-0.500"), (1.234e-7, 3, "1.23e-07"), (9.999, 3, "10.0"), (float("nan"), 3, "–"), (None, 3, "–"),
    ],
)  # fmt: skip
def test_values_keep_their_significant_digits(value: float | None, digits: int, written: str) -> None:
    assert write_value(value, digits) == written


@given(value=st.floats(-1e12, 1e12), digits=st.integers(1, 8))
def test_a_written_value_reads_back_to_its_digits(value: float, digits: int) -> None:
    assert float(write_value(value, digits)) == pytest.approx(value, rel=0.51 * 10.0 ** (1 - digits), abs=1e-300)


@given(count=st.integers(0, 10**15))
def test_a_written_count_reads_back(count: int) -> None:
    written = write_count(count)
    assert int(written.replace(" ", "")) == count
    assert all(len(group) == 3 for group in written.split(" ")[1:])


@given(size=st.integers(0, 10**17))
def test_a_written_size_is_within_half_a_per_cent(size: int) -> None:
    number, unit = write_size(size).split(" ")
    factor = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "PB": 1e15}[unit]
    assert float(number) * factor == pytest.approx(size, rel=0.006)


def test_rates_and_shares() -> None:
    assert [write_rate(rate) for rate in (2310.4, 18.44, 0.517)] == ["2 310", "18.4", "0.517"]
    assert write_percent(0.97134) == "97.13 %"


def test_a_metric_s_name_tells_its_unit() -> None:
    assert write_label("thickness_mae_A") == "Thickness MAE (Å)"
    assert write_label("composition_at_percent") == "Composition (at.%)"
    assert split_unit("rmse") == ("RMSE", "")
    assert write_score("accuracy", 0.9712) == "97.12 %"
    assert write_score("thickness_mae_A", 3.0782) == "3.078 Å"
