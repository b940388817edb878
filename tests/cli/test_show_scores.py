"""`xpshpc evaluate` tells on the terminal what matters, in a few lines."""

from __future__ import annotations

import io

import numpy as np
from rich.console import Console

from xpshpc.cli.show_scores import show_scores
from xpshpc.spectra.learning.scores import score, summarise
from xpshpc.wafers.learning.class_scores import count_classes, summarise_classes

ELEMENTS = ("C", "Sc", "Cd")


def shown(truth: dict[str, np.ndarray], answer: dict[str, np.ndarray]) -> str:
    console = Console(file=io.StringIO(), width=200)
    show_scores(console, summarise(score(truth, answer), ELEMENTS) | {"samples": len(truth["composition"])})
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_worst_elements_and_the_most_confused_ones_are_named() -> None:
    truth = {
        "composition": np.tile([[0.5, 0.0, 0.5], [0.9, 0.1, 0.0]], (5, 1)),
        "overlayer_thickness": np.arange(10.0),
    }
    answer = {"composition": truth["composition"].copy(), "overlayer_thickness": np.arange(10.0) + 2}
    answer["composition"][0, 1:] = 0.5, 0.0
    told = shown(truth, answer)
    for words in (
        "accuracy 95.00 %",
        "on 10 spectra",
        "overlayer ±2.00 Å, bias 2.0 Å, RMSE 2.00 Å",
        "at 1 at.%, all of them right in 90.0 % of spectra, 95.0 % of fractions within 20 %",
        "worst     F1 Cd 88.9 %, Sc 90.9 %, C 100.0 %",
        "confused  Cd → Sc 10 at.% (moved per spectrum with the first)",
    ):
        assert words in told
    assert len(told.splitlines()) == 5


def test_perfect_answers_have_nothing_confused_and_nothing_is_a_dash() -> None:
    truth = {"composition": np.array([[1.0, 0.0, 0.0]] * 2), "overlayer_thickness": np.array([3.0, 3.0])}
    told = shown(truth, truth)
    assert "confused" not in told
    assert "R² – on 2 spectra" in told and "worst     F1 C 100.0 %" in told


def test_a_classifier_tells_its_worst_classes_and_what_it_takes_for_what() -> None:
    labels, answer = np.eye(3)[[0, 0, 0, 1]], np.eye(3)[[0, 0, 1, 1]]
    found = summarise_classes(count_classes(labels, answer), ("Donut", "Loc", "Scratch"))
    console = Console(file=io.StringIO(), width=200)
    show_scores(console, found | {"samples": 4, "data": "runs/test"})
    told = console.file.getvalue()  # type: ignore[attr-defined]
    for words in (
        "other run accuracy 75.00 %, macro F1 73.33 %",
        "worst     F1 Loc 66.7 %, Donut 80.0 %",
        "Donut → Loc 1",
    ):
        assert words in told
    assert "Scratch" not in told
