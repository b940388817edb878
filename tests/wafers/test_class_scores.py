"""The scores of a classifier: known cases by hand, sums that add up, classes without a sample, and weights."""

from __future__ import annotations

import json

import numpy as np
import pytest

from xpshpc.errors import UsageError
from xpshpc.wafers.learning.class_scores import count_classes, sample_scores, summarise_classes
from xpshpc.wafers.learning.class_weights import check_weights, class_shares, weigh_classes
from xpshpc.wafers.settings import WaferSettings

NAMES = ("Donut", "Loc", "Scratch")


def one_hot(labels: list[int]) -> np.ndarray:
    return np.eye(len(NAMES), dtype=np.float32)[labels]


def drawn(samples: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    answer = generator.dirichlet(np.ones(len(NAMES)), samples).astype(np.float32)
    return one_hot(generator.integers(len(NAMES), size=samples).tolist()), answer


def test_a_case_counted_by_hand() -> None:
    truth, told = [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 0, 2]
    answer = 0.8 * one_hot(told) + 0.2 / 3
    found = summarise_classes(count_classes(one_hot(truth), answer), NAMES)
    assert found["confusion"] == [[2, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert found["accuracy"] == pytest.approx(4 / 6)
    assert found["balanced_accuracy"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert found["macro_f1"] == pytest.approx((4 / 6 + 2 / 4 + 1) / 3)
    assert found["log_loss"] == pytest.approx(-(4 * np.log(0.8 + 0.2 / 3) + 2 * np.log(0.2 / 3)) / 6, rel=1e-5)
    assert found["classes"]["Loc"] == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "samples": 2}


def test_sums_of_parts_are_those_of_the_whole() -> None:
    truth, answer = drawn(101)
    whole = count_classes(truth, answer)
    parts = [count_classes(truth[rows], answer[rows]) for rows in (slice(0, 40), slice(40, 41), slice(41, None))]
    for name, values in whole.items():
        np.testing.assert_allclose(sum(part[name] for part in parts), values, rtol=1e-12)
    each = sample_scores(truth, answer)
    found = summarise_classes(whole, NAMES)
    assert found["accuracy"] == pytest.approx(each["accuracy"].mean(), rel=1e-12)
    assert found["log_loss"] == pytest.approx(each["log_loss"].mean(), rel=1e-12)


def test_a_class_without_samples_has_no_score_and_enters_no_mean() -> None:
    found = summarise_classes(count_classes(one_hot([0, 0, 1, 1]), one_hot([0, 2, 1, 1])), NAMES)
    assert found["classes"]["Scratch"] == {"precision": None, "recall": None, "f1": None, "samples": 0}
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["balanced_accuracy"] == pytest.approx(0.75)
    assert "NaN" not in json.dumps(found)


def test_a_class_that_is_never_told_has_no_precision() -> None:
    found = summarise_classes(count_classes(one_hot([0, 1]), one_hot([0, 0])), NAMES)["classes"]["Loc"]
    assert found == {"precision": None, "recall": 0.0, "f1": 0.0, "samples": 1}


def test_an_answer_of_zero_costs_a_finite_loss() -> None:
    assert np.isfinite(sample_scores(one_hot([0]), one_hot([1]))["log_loss"]).all()


@pytest.mark.parametrize("weighing", ["none", "root", "balanced"])
def test_weights_have_the_mean_one_over_samples(weighing: str) -> None:
    shares = np.array([0.7, 0.0, 0.25, 0.05])
    weights = weigh_classes(weighing, shares)  # type: ignore[arg-type]
    assert np.sum(shares * weights) == pytest.approx(1, rel=1e-6)
    assert weights[1] == 1
    power = {"none": 0.0, "root": 0.5, "balanced": 1.0}[weighing]
    assert weights[3] / weights[0] == pytest.approx((0.7 / 0.05) ** power, rel=1e-6)


def test_balanced_weights_make_all_classes_count_alike() -> None:
    shares = np.array([0.9, 0.09, 0.01])
    np.testing.assert_allclose(shares * weigh_classes("balanced", shares), 1 / 3, rtol=1e-6)


def test_the_shares_of_a_job_are_those_of_its_patterns_and_of_the_parts_of_its_mixture() -> None:
    classes = ["Donut", "Loc", "None"]
    alone = WaferSettings.model_validate({"patterns": {"classes": classes, "shares": [1, 1, 2]}})
    np.testing.assert_allclose(class_shares(alone, classes), [0.25, 0.25, 0.5])
    mixed = WaferSettings.model_validate(
        {
            "patterns": {"classes": classes, "shares": [1, 1, 2]},
            "generator": {"model": "model.keras", "classes": ["Donut"]},
            "mixture": [{"source": "synthetic", "samples": 30}, {"source": "generated", "samples": 10}],
        }
    )
    np.testing.assert_allclose(class_shares(mixed, classes), [0.25 * 0.75 + 0.25, 0.75 * 0.25, 0.75 * 0.5])


def test_weights_of_unknown_classes_or_none_that_counts_are_refused() -> None:
    with pytest.raises(UsageError, match="unknown class") as told:
        check_weights({"Donat": 2.0}, NAMES)
    assert "Donut" in str(told.value)
    with pytest.raises(UsageError, match="all classes have the weight 0"):
        check_weights(dict.fromkeys(NAMES, 0.0), NAMES)
    check_weights({"Donut": 0.0}, NAMES)
