"""A training tells people what it reached, or that it waits and how it goes on."""

import io

from rich.console import Console

from tests.report.story_of_rivals import rival_epoch
from xpshpc.cli.show import show_trained
from xpshpc.train.result import PausedTraining, TrainResult


def shown(result, **more):
    text = io.StringIO()
    show_trained(Console(file=text, width=200), {**result.as_json(), **more})
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


def test_two_networks_are_told_by_their_own_losses_with_their_troubles_and_pictures(tmp_path):
    validation = rival_epoch(3).validation
    facts = ("runs/a", 2, 3, tmp_path / "model.keras", validation, 3, 9.0, 100.0, 0.01, None, False, False)
    text = shown(TrainResult(*facts, ["a trouble (epoch 2 of 3)"]), pictures="runs/a/train/pictures")
    assert "validation D loss 1.23, G loss 0.730, diversity 0.830 " in text and "1.93" not in text
    assert "warning   a trouble (epoch 2 of 3)" in text and "pictures  runs/a/train/pictures" in text
    paused = shown(PausedTraining("runs/a", 2, 3, validation, validation, 9.0))
    assert "validation D loss 1.23, G loss 0.730" in paused and "1.93" not in paused
