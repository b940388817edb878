"""The table of epochs tells the last ones, marks the best one, and fits the terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from rich.console import Console

from xpshpc.report.epoch_table import SHOWN_EPOCHS, draw_epochs
from xpshpc.train.history import EpochFinished


def epochs(count: int, best: int) -> list[EpochFinished]:
    return [
        EpochFinished(
            epoch=number,
            epochs=40,
            loss=0.4 / number,
            validation={"loss": 0.1 + abs(number - best) / 100, "accuracy": 0.9 + number / 1000, "rmse": 0.0123},
            seconds=2.0,
            spectra_per_s=12_345.0,
            learning_rate=1e-3,
            data_wait_share=0.021,
        )
        for number in range(1, count + 1)
    ]


def draw(history: Sequence[EpochFinished], width: int = 120) -> list[str]:
    console = Console(file=io.StringIO(), record=True, width=width)
    console.print(draw_epochs(history, width=width))
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_a_row_tells_an_epoch() -> None:
    head, _, first, *_ = draw(epochs(3, best=3))
    assert head.split("  ")[0].strip() == "Epoch"
    for name in ("Loss", "Validation loss", "Accuracy", "Samples/s", "Learning rate", "Waiting for data", "RMSE"):
        assert name in head
    assert " ".join(first.split()) == "1/40 0.4000 0.1200 90.10 % 12 345 0.00100 2.10 % 0.01230"


def test_it_grows_and_then_keeps_the_last_epochs() -> None:
    assert len(draw(epochs(5, best=1))) == 5 + 2
    _, _, *rows = draw(epochs(30, best=25))
    assert len(rows) == SHOWN_EPOCHS
    assert rows[0].split()[0] == "19/40" and rows[-1].split()[0] == "30/40"


@pytest.mark.parametrize(("best", "starred"), [(25, ["* 25/40"]), (2, [])])
def test_the_best_epoch_of_all_has_the_only_star(best: int, starred: list[str]) -> None:
    rows = draw(epochs(30, best))
    assert [row[:8].strip() for row in rows if "*" in row] == starred


@pytest.mark.parametrize("width", [12, 30, 50, 65, 80, 100, 200])
def test_columns_that_do_not_fit_are_left_out_whole(width: int) -> None:
    lines = draw(epochs(12, best=11), width)
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
    assert "Epoch" in lines[0]


def test_a_metric_that_only_some_epochs_have_is_blank_elsewhere() -> None:
    first, second = epochs(2, best=1)
    first.validation.pop("rmse")
    _, _, bare, full = draw([first, second])
    assert "0.01230" not in bare and "0.01230" in full
