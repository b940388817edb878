"""Scores are what their definitions say, whatever the samples were cut into."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xpshpc.spectra.learning.confusion import count_confusions
from xpshpc.spectra.learning.detection_scores import THRESHOLDS, reach_levels
from xpshpc.spectra.learning.fraction_bins import EDGES_AT_PERCENT
from xpshpc.spectra.learning.scores import score, summarise

ELEMENTS = ("C", "O", "Si", "Sc", "Cu", "Cd")
Rows = dict[str, np.ndarray]

seeds = st.integers(0, 2**32 - 1)


def random_rows(samples: int, seed: int) -> tuple[Rows, Rows]:
    """Samples of one to four elements, traces among them, and answers of mixed quality."""
    random = np.random.default_rng(seed)
    true = random.dirichlet(np.full(len(ELEMENTS), 0.2), samples) * (random.random((samples, len(ELEMENTS))) < 0.6)
    true[np.arange(samples), random.integers(0, len(ELEMENTS), samples)] += 0.05
    true /= true.sum(axis=1, keepdims=True)
    told = 0.7 * true + 0.3 * random.dirichlet(np.full(len(ELEMENTS), 0.2), samples)
    thickness = random.uniform(0, 40, samples)
    return (
        {"composition": true.astype(np.float32), "overlayer_thickness": thickness.astype(np.float32)},
        {
            "composition": told.astype(np.float32),
            "overlayer_thickness": (thickness + random.normal(1, 3, samples)).astype(np.float32),
        },
    )


def judge(truth: Rows, answer: Rows) -> dict[str, Any]:
    return summarise(score(truth, answer), ELEMENTS)


def take(rows: Rows, part: slice) -> Rows:
    return {name: values[part] for name, values in rows.items()}


@settings(max_examples=30)
@given(seeds, st.integers(1, 39))
def test_sums_of_parts_are_those_of_the_whole(seed: int, cut: int) -> None:
    truth, answer = random_rows(40, seed)
    whole = score(truth, answer)
    first, rest = (score(take(truth, part), take(answer, part)) for part in (slice(cut), slice(cut, None)))
    for name, values in whole.items():
        assert values.dtype == np.float64
        np.testing.assert_allclose(first[name] + rest[name], values, rtol=1e-12, atol=1e-12)


@settings(max_examples=30)
@given(seeds)
def test_the_order_of_the_elements_changes_nothing(seed: int) -> None:
    truth, answer = random_rows(30, seed)
    order = np.random.default_rng(seed).permutation(len(ELEMENTS))
    turned = [{**rows, "composition": rows["composition"][:, order]} for rows in (truth, answer)]
    told, again = judge(truth, answer), summarise(score(*turned), [ELEMENTS[place] for place in order])
    for element in ELEMENTS:
        assert again["elements"][element]["detection"] == told["elements"][element]["detection"]
        assert again["elements"][element]["mae"] == pytest.approx(told["elements"][element]["mae"])
    assert again["element_set"] == told["element_set"]
    assert again["r2"] == pytest.approx(told["r2"])
    strongest = [{(pair["missed"], pair["named"]): pair["share"] for pair in one["confused"]} for one in (told, again)]
    both = strongest[0].keys() & strongest[1].keys()
    assert both
    assert [strongest[0][pair] for pair in both] == pytest.approx([strongest[1][pair] for pair in both])


def test_a_perfect_answer_has_perfect_scores() -> None:
    truth, _ = random_rows(60, 1)
    told = judge(truth, truth)
    assert (told["accuracy"], told["r2"], told["thickness_r2"]) == (1, 1, 1)
    assert (told["rmse"], told["thickness_rmse_A"], told["thickness_bias_A"]) == (0, 0, 0)
    assert told["element_set"]["correct"] == 1 and told["within_20_percent"]["share"] == 1
    assert all(set(scores.values()) == {1.0} for scores in told["detection"].values())
    for scores in told["elements"].values():
        assert scores["precision"] == scores["recall"] == scores["f1"] == scores["r2"] == 1
    assert {place["mae"] for place in told["error_by_fraction"] if place["count"]} == {0.0}
    assert told["confused"] == []


def test_an_answer_that_knows_only_the_means_explains_nothing() -> None:
    truth, _ = random_rows(60, 2)
    answer = {name: np.broadcast_to(rows.mean(axis=0, dtype=float), rows.shape) for name, rows in truth.items()}
    told = judge(truth, answer)
    assert told["r2"] == pytest.approx(0, abs=1e-9) and told["thickness_r2"] == pytest.approx(0, abs=1e-9)
    assert all(scores["r2"] == pytest.approx(0, abs=1e-9) for scores in told["elements"].values())


def test_what_cannot_be_told_is_none() -> None:
    truth = {"composition": np.array([[0.3, 0.7], [0.3, 0.7]]), "overlayer_thickness": np.array([10.1, 10.1])}
    answer = {"composition": np.array([[0.4, 0.6], [0.3, 0.7]]), "overlayer_thickness": np.array([9.0, 12.0])}
    told = summarise(score(truth, answer), ("C", "O"))
    assert told["r2"] is told["thickness_r2"] is told["elements"]["C"]["r2"] is None
    assert told["error_by_fraction"][0] == {
        "from_at_percent": 0, "to_at_percent": 0, "count": 0,
        "mean": None, "bias": None, "mae": None, "rmse": None, "relative": None,
    }  # fmt: skip
    alone = {"composition": np.array([[1.0, 0.0]]), "overlayer_thickness": np.array([1.0])}
    told = summarise(score(alone, alone), ("C", "O"))
    assert (
        told["elements"]["O"]["f1"] is told["elements"]["O"]["recall"] is told["elements"]["O"]["mae_present"] is None
    )
    assert told["detection"]["1"]["recall"] == 1


@settings(max_examples=15)
@given(seeds)
def test_r2_is_its_definition(seed: int) -> None:
    truth, answer = random_rows(50, seed)
    told = judge(truth, answer)
    true, found = (np.asarray(rows["composition"], float) for rows in (truth, answer))
    about_mean = ((true - true.mean(axis=0)) ** 2).sum(axis=0)
    missed = ((found - true) ** 2).sum(axis=0)
    assert told["r2"] == pytest.approx(1 - missed.sum() / about_mean.sum())
    for place, element in enumerate(ELEMENTS):
        if about_mean[place] > 0:
            assert told["elements"][element]["r2"] == pytest.approx(1 - missed[place] / about_mean[place])


@settings(max_examples=15)
@given(seeds)
def test_detection_counts_sample_by_sample(seed: int) -> None:
    truth, answer = random_rows(40, seed)
    told = judge(truth, answer)
    for name, threshold in THRESHOLDS.items():
        counts = {element: [0, 0, 0] for element in ELEMENTS}
        for true, found in zip(truth["composition"], answer["composition"], strict=True):
            for element, is_there, is_said in zip(ELEMENTS, true >= threshold, found >= threshold, strict=True):
                counts[element][0] += is_there and is_said
                counts[element][1] += is_said and not is_there
                counts[element][2] += is_there and not is_said
        scores = {element: told["elements"][element]["detection"][name] for element in ELEMENTS}
        for element, (found, false, missed) in counts.items():
            assert scores[element]["precision"] == (found / (found + false) if found + false else None)
            assert scores[element]["recall"] == (found / (found + missed) if found + missed else None)
            every = 2 * found + false + missed
            assert scores[element]["f1"] == (2 * found / every if every else None)
        found, false, missed = np.sum(list(counts.values()), axis=0)
        assert told["detection"][name]["f1_micro"] == pytest.approx(2 * found / (2 * found + false + missed))
        held = [scores[element]["f1"] for element, (found, _, missed) in counts.items() if found + missed]
        assert told["detection"][name]["f1"] == pytest.approx(np.mean(held))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_fraction_at_a_threshold_reaches_it_in_any_precision(kind: type) -> None:
    fractions = np.array([0.0, 0.0049, 0.005, 0.01, 0.02, 0.049, 0.05, 1.0], kind)
    assert reach_levels(fractions).tolist() == [0, 0, 1, 2, 3, 3, 4, 4]


@settings(max_examples=15)
@given(seeds)
def test_sets_and_near_concentrations_count_sample_by_sample(seed: int) -> None:
    truth, answer = random_rows(40, seed)
    told = judge(truth, answer)
    pairs = list(zip(truth["composition"], answer["composition"], strict=True))
    for name, threshold in THRESHOLDS.items():
        sets = [
            (set(np.flatnonzero(true >= threshold)), set(np.flatnonzero(found >= threshold))) for true, found in pairs
        ]
        held = [set(np.flatnonzero(true > 0)) for true, _ in pairs]
        by_threshold = told["element_set"]["by_threshold"][name]
        assert by_threshold["correct"] == np.mean([one == other for one, other in sets])
        assert by_threshold["correct_of_all"] == np.mean(
            [all_ == said for all_, (_, said) in zip(held, sets, strict=True)]
        )
    assert told["element_set"]["correct"] == told["element_set"]["by_threshold"]["1"]["correct"]
    near = told["within_20_percent"]
    for least, scores in ((0.0, near), (0.01, near["by_threshold"]["1"]), (0.05, near["by_threshold"]["5"])):
        errors = [
            abs(float(y) - float(t)) <= 0.2 * float(t)
            for true, found in pairs
            for t, y in zip(true, found, strict=True)
            if t > 0 and t >= np.float32(least)
        ]
        assert scores["concentrations"] == len(errors)
        assert scores["share"] == pytest.approx(np.mean(errors))


@settings(max_examples=15)
@given(seeds)
def test_every_fraction_is_in_one_bin(seed: int) -> None:
    truth, answer = random_rows(40, seed)
    told = judge(truth, answer)
    bins = told["error_by_fraction"]
    assert [place["to_at_percent"] for place in bins] == list(EDGES_AT_PERCENT)
    true = np.asarray(truth["composition"], float).ravel()
    error = np.asarray(answer["composition"], float).ravel() - true
    assert sum(place["count"] for place in bins) == true.size
    for place in bins:
        low, high = (np.float32(place[name]) / np.float32(100) for name in ("from_at_percent", "to_at_percent"))
        above = true > 0 if low == 0 else true >= low
        mine = true == 0 if high == 0 else above & (true < high if high < 1 else above)
        assert place["count"] == mine.sum()
        if mine.any():
            assert place["mean"] == pytest.approx(true[mine].mean())
            assert place["bias"] == pytest.approx(error[mine].mean())
            assert place["mae"] == pytest.approx(np.abs(error[mine]).mean())
            assert place["rmse"] == pytest.approx(np.sqrt((error[mine] ** 2).mean()))
            if high > 0:
                assert place["relative"] == pytest.approx(np.abs(error[mine]).sum() / true[mine].sum())


@settings(max_examples=30)
@given(seeds)
def test_all_that_is_missing_is_moved_to_what_is_too_much(seed: int) -> None:
    truth, answer = random_rows(40, seed)
    true, found = (np.asarray(rows["composition"], float) for rows in (truth, answer))
    found /= found.sum(axis=1, keepdims=True)
    true /= true.sum(axis=1, keepdims=True)
    error = found - true
    moved = count_confusions(error, reach_levels(true), reach_levels(found))["confusion.moved"]
    np.testing.assert_allclose(moved.sum(), 0.5 * np.abs(error).sum())
    np.testing.assert_allclose(moved.sum(axis=0), np.maximum(error, 0).sum(axis=0), atol=1e-12)
    np.testing.assert_allclose(moved.sum(axis=1), np.maximum(-error, 0).sum(axis=0), atol=1e-12)
    assert (np.diag(moved) == 0).all() and (moved >= 0).all()
    expected = np.zeros_like(moved)
    for one in error:
        over, under = np.maximum(one, 0), np.maximum(-one, 0)
        for j in range(len(one)):
            for i in range(len(one)):
                expected[j, i] += over[i] * under[j] / over.sum() if over.sum() else 0
    np.testing.assert_allclose(moved, expected, atol=1e-12)


def test_the_strongest_confusion_comes_first_with_its_direction() -> None:
    truth = {"composition": np.zeros((5, len(ELEMENTS))), "overlayer_thickness": np.arange(5.0)}
    carbon, oxygen, scandium, cadmium = (ELEMENTS.index(symbol) for symbol in ("C", "O", "Sc", "Cd"))
    truth["composition"][:4, [carbon, cadmium]] = 0.5
    truth["composition"][4, [carbon, scandium]] = 0.5
    answer = {name: rows.copy() for name, rows in truth.items()}
    answer["composition"][0, [cadmium, scandium]] = 0.0, 0.5
    answer["composition"][1, [cadmium, scandium]] = 0.4, 0.1
    answer["composition"][4, [scandium, cadmium]] = 0.3, 0.2
    answer["composition"][3, [carbon, oxygen]] = 0.45, 0.05
    told = judge(truth, answer)
    strongest, reverse, other = told["confused"]
    assert (strongest["missed"], strongest["named"]) == ("Cd", "Sc")
    assert (reverse["missed"], reverse["named"]) == ("Sc", "Cd")
    assert (other["missed"], other["named"]) == ("C", "O")
    assert strongest["share"] == pytest.approx(0.6 / 0.85)
    assert strongest["samples"] == 4 and strongest["swapped"] == 1
    assert strongest["at_percent_per_sample"] == pytest.approx(60 / 4)
    assert strongest["reverse_at_percent_per_sample"] == reverse["at_percent_per_sample"] == pytest.approx(20)
    assert reverse["swapped"] == 0
    assert sum(pair["share"] for pair in told["confused"]) == pytest.approx(1)
    assert all(pair["times_chance"] > 1 for pair in told["confused"])


def test_scores_are_json() -> None:
    told = judge(*random_rows(20, 3))
    assert json.loads(json.dumps(told, allow_nan=False)) == told
