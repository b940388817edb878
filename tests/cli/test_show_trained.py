"""A training tells people what it reached, or that it waits and how it goes on."""

import io

from rich.console import Console

from xpshpc.cli.show import show_trained
from xpshpc.train.result import PausedTraining, TrainResult


def shown(result):
    text = io.StringIO()
    show_trained(Console(file=text, width=200), result.as_json())
    return text.getvalue()


def test_a_pause_says_where_it_stands_and_how_to_go_on():
    paused = PausedTraining("runs/a", 2, 3, {"loss": 0.25}, {"loss": 0.125}, 9.0)
    assert "paused after 3 epochs on 2 ranks, validation loss 0.25" in shown(paused)
    assert "--until-epoch" in shown(paused)


def test_an_early_end_is_told(tmp_path):
    validation = {"accuracy": 0.75, "rmse": 0.125}
    facts = ("runs/a", 2, 7, tmp_path / "model.keras", validation, 5, 9.0, 100.0, 0.01, None, False)
    assert "7 epochs, stopped early, on 2 ranks, validation accuracy 75.00 %" in shown(TrainResult(*facts, True))
    assert "7 epochs on 2 ranks" in shown(TrainResult(*facts))
