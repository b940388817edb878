"""Intervals hold what they promise, however wrong the network's own idea of its errors is."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from xpshpc.spectra.learning import calibration as under_test
from xpshpc.spectra.learning.calibration import FEWEST, LEVELS, RANGES, Calibration, calibrate, count_errors
from xpshpc.spectra.learning.names import COMPOSITION, SPREAD

ELEMENTS = 20
Rows = dict[str, NDArray[np.float64]]

ERRORS = {
    "Laplace": lambda random, shape: random.laplace(size=shape),
    "normal": lambda random, shape: random.normal(size=shape),
    "heavy-tailed": lambda random, shape: random.standard_t(2.0, size=shape),
    "one-sided": lambda random, shape: random.exponential(size=shape),
}
WRONG = {"too narrow": 0.2, "right": 1.0, "too wide": 5.0}


def draw(seed: int, samples: int, *, law: str = "Laplace", wrong: float = 1.0) -> tuple[Rows, Rows]:
    """Truth and answer: most elements absent and found so to 1e-5, others with errors that grow with the fraction."""
    random = np.random.default_rng(seed)
    shape = (samples, ELEMENTS)
    present = random.random(shape) < 0.2
    true = np.where(present, 10 ** random.uniform(-3, 0, shape), 0.0)
    scale = np.where(present, 0.002 + 0.05 * true, 1e-5)
    said = np.clip(true + scale * ERRORS[law](random, shape), 0, 1)
    return {COMPOSITION: true}, {COMPOSITION: said, SPREAD: wrong * scale}


def coverage_of(sums: Rows, calibration: dict) -> dict:
    return under_test.test_calibration(sums, calibration)


def inside(truth: Rows, answer: Rows, told: Calibration, level: float) -> NDArray[np.bool_]:
    half = told.half_width(answer[COMPOSITION], answer[SPREAD], level)
    return np.abs(truth[COMPOSITION] - answer[COMPOSITION]) <= half * (1 + 1e-12)


@pytest.mark.parametrize("law", ERRORS)
@pytest.mark.parametrize("wrong", WRONG)
def test_calibrated_intervals_hold_on_fresh_samples_what_they_promise(law: str, wrong: str) -> None:
    calibration = calibrate(count_errors(*draw(1, 4000, law=law, wrong=WRONG[wrong])))
    told = Calibration.model_validate(calibration)
    truth, answer = draw(2, 4000, law=law, wrong=WRONG[wrong])
    said = answer[COMPOSITION]
    for level in LEVELS:
        held = inside(truth, answer, told, level)
        for low, high in RANGES:
            there = (said >= low) & ((said < high) | (high == 1.0))
            counted = told.n[RANGES.index((low, high))]
            spread = np.sqrt(level * (1 - level) * (1 / there.sum() + 1 / counted))
            assert there.sum() > 500
            assert held[there].mean() >= level - 3 * spread, (low, level)
            # Nor are they wide for safety's sake: a bin's width at most, which holds no more than its share of errors.
            assert held[there].mean() <= level + 3 * spread + 0.02, (low, level)


def test_the_measured_coverage_is_that_of_the_intervals() -> None:
    calibration = calibrate(count_errors(*draw(3, 1500, law="normal", wrong=3.0)))
    told = Calibration.model_validate(calibration)
    truth, answer = draw(4, 900, law="normal", wrong=3.0)
    found = coverage_of(count_errors(truth, answer), calibration)
    said = answer[COMPOSITION]
    assert found["levels"] == list(LEVELS) and found["ranges"] == [list(bounds) for bounds in RANGES]
    for column, level in enumerate(LEVELS):
        held, half = inside(truth, answer, told, level), told.half_width(said, answer[SPREAD], level)
        assert found["coverage"]["named"][column] == pytest.approx(held[said >= 0.001].mean(), rel=1e-12)
        assert found["coverage"]["present"][column] == pytest.approx(held[truth[COMPOSITION] > 0].mean(), rel=1e-12)
        for place, (low, high) in enumerate(RANGES):
            there = (said >= low) & ((said < high) | (high == 1.0))
            assert found["coverage"]["by_range"][place][column] == pytest.approx(held[there].mean(), rel=1e-12)
            assert found["mean_half_width"][place][column] == pytest.approx(half[there].mean(), rel=1e-9)
            assert found["n"]["by_range"][place] == there.sum()
    assert found["n"]["named"] == (said >= 0.001).sum() and found["n"]["present"] == (truth[COMPOSITION] > 0).sum()
    assert json.loads(json.dumps(found)) == found


@settings(max_examples=30)
@given(st.integers(0, 60), st.integers(0, 99))
def test_sums_of_parts_are_the_sums_of_the_whole(cut: int, seed: int) -> None:
    truth, answer = draw(seed, 60)
    whole = count_errors(truth, answer)
    parts = [
        count_errors({n: r[part] for n, r in truth.items()}, {n: r[part] for n, r in answer.items()})
        for part in (slice(0, cut), slice(cut, None))
    ]
    for name, values in whole.items():
        assert values.dtype == np.float64
        np.testing.assert_allclose(parts[0][name] + parts[1][name], values, rtol=1e-12)
    assert whole["calibration.errors"].sum() == 60 * ELEMENTS


@settings(max_examples=30)
@given(st.integers(1, 200), st.integers(0, 99), st.sampled_from(sorted(ERRORS)))
def test_a_higher_level_is_never_a_narrower_interval(samples: int, seed: int, law: str) -> None:
    told = Calibration.model_validate(calibrate(count_errors(*draw(seed, samples, law=law))))
    for row in told.factors:
        known = [factor for factor in row if factor is not None]
        assert known == sorted(known) and len(known) in (0, len(LEVELS))


def test_a_range_with_too_few_answers_takes_the_wider_of_its_neighbours() -> None:
    truth, answer = draw(5, 3000, wrong=0.3)
    whole = Calibration.model_validate(calibrate(count_errors(truth, answer)))
    few = answer[COMPOSITION].copy()
    low, high = RANGES[3]
    lost = np.flatnonzero((few >= low) & (few < high))[FEWEST - 1 :]
    truth[COMPOSITION].flat[lost], few.flat[lost] = 0.0, 0.0
    told = Calibration.model_validate(calibrate(count_errors(truth, {**answer, COMPOSITION: few})))
    assert told.n[3] == FEWEST - 1 < told.fewest
    assert told.factors[3] == tuple(map(max, whole.factors[2], whole.factors[4]))
    assert told.factors[4] == whole.factors[4]


def test_what_was_never_seen_is_not_promised() -> None:
    truth, answer = draw(6, 2)
    calibration = calibrate(count_errors(truth, answer))
    assert calibration["factors"] == [[None] * len(LEVELS)] * len(RANGES)
    half = Calibration.model_validate(calibration).half_width(answer[COMPOSITION], answer[SPREAD], 0.9)
    assert np.isnan(half).all()
    found = coverage_of(count_errors(truth, answer), calibration)
    assert found["coverage"]["named"] == [None] * len(LEVELS) and found["n"]["named"] > 0
    assert found["mean_half_width"] == [[None] * len(LEVELS)] * len(RANGES)


def test_an_answer_that_is_no_number_widens_and_never_narrows() -> None:
    truth, answer = draw(7, 400)
    before = Calibration.model_validate(calibrate(count_errors(truth, answer)))
    spread = answer[SPREAD].copy()
    spread[answer[COMPOSITION] > 0.4] = np.nan
    after = Calibration.model_validate(calibrate(count_errors(truth, {**answer, SPREAD: spread})))
    assert after.factors[-1] == (None,) * len(LEVELS)
    assert after.factors[:-1] == before.factors[:-1]


def test_a_calibration_survives_its_card_and_a_damaged_one_is_refused() -> None:
    calibration = calibrate(count_errors(*draw(8, 500)))
    read = json.loads(json.dumps(calibration))
    assert Calibration.model_validate({**read, "later": 1}) == Calibration.model_validate(calibration)
    for damage in ({"factors": read["factors"][1:]}, {"floor": 0}, {"ranges": [[0, 0.5], [0.6, 1]]}, {"n": None}):
        with pytest.raises(ValidationError):
            Calibration.model_validate({**read, **damage})
    with pytest.raises(ValueError, match="not in tuple"):
        Calibration.model_validate(read).half_width(np.zeros((1, 2)), np.zeros((1, 2)), 0.42)
    sums = count_errors(*draw(9, 50))
    assert coverage_of(sums, {**read, "floor": 0.5}) == {}
