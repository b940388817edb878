"""Two networks that train each other: each has its loss, their sum and a best epoch are told nowhere."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from tests.report.story_of_rivals import rival_epoch
from tests.report.test_html import read_page
from tests.report.test_progress import show
from tests.train.gan_run import gan_job
from tests.train.stored_run import store_run
from xpshpc.events import StageFinished, StageStarted
from xpshpc.report.epoch_table import draw_epochs
from xpshpc.report.figures import draw_history
from xpshpc.report.html import write_report
from xpshpc.train.history import TrainingWarned, history_path, write_history
from xpshpc.train.pictures import pictures_path, read_sheets
from xpshpc.train.rivalry import Trouble

SUM = "1.9"
"""How the sum of both losses begins, in every epoch."""


def test_the_table_tells_each_loss_first_and_marks_no_epoch() -> None:
    console = Console(file=io.StringIO(), record=True, width=160)
    console.print(draw_epochs([rival_epoch(number) for number in (1, 2, 3)], width=160))
    head, _, first, *_, last = console.export_text().rstrip().splitlines()
    assert head.split()[:6] == ["Epoch", "D", "loss", "G", "loss", "Diversity"]
    assert first.split()[:4] == ["1/3", "1.210", "0.7100", "0.8100"]
    assert last.split()[:4] == ["3/3", "1.230", "0.7300", "0.8300"]
    assert not any(SUM in line or "*" in line for line in (head, first, last))


@pytest.mark.parametrize("width", [40, 80])
def test_a_narrow_table_keeps_the_losses(width: int) -> None:
    console = Console(file=io.StringIO(), record=True, width=width)
    console.print(draw_epochs([rival_epoch(1)], width=width))
    lines = console.export_text().rstrip().splitlines()
    assert "D loss" in lines[0] and "G loss" in lines[0] and max(map(len, lines)) <= width


def test_a_log_tells_epochs_troubles_and_both_curves() -> None:
    text = show(
        [
            StageStarted("train", 30, 0, "steps"),
            *(rival_epoch(number) for number in (1, 2, 3)),
            TrainingWarned(3, Trouble.COLLAPSED.value),
            StageFinished("train", 12.0),
        ],
        terminal=False,
        width=200,
    )
    scores = "D loss 1.210, G loss 0.7100, diversity 0.8100, real score 0.6100, fake score 0.3100"
    assert f"epoch 1 of 3: {scores}; 1 300 samples/s" in text
    assert "epoch 3: collapse: the generator makes much the same" in text
    assert "⠶⠶ D loss 1.230   ⠶⠶ G loss 0.7300" in text and SUM not in text


def test_a_trouble_is_told_above_the_bars_of_a_terminal() -> None:
    text = show([StageStarted("train", 30, 0, "steps"), TrainingWarned(7, "a trouble")], terminal=True)
    assert "epoch 7: a trouble" in text


def test_the_curves_are_those_of_both_networks() -> None:
    svg = draw_history([rival_epoch(1), rival_epoch(2)])
    for name in ("D loss", "G loss", "Validation: Diversity", "Validation: Real score", "Validation: Fake score"):
        assert name in svg
    assert "training" not in svg


def draw_sheets(folder: Path, epochs: list[int]) -> None:
    folder.mkdir(parents=True)
    for epoch in epochs:
        Image.fromarray(np.full((4, 6), epoch, np.uint8)).save(folder / f"epoch-{epoch:06d}.png")


def test_sheets_are_the_first_the_last_and_some_between(tmp_path: Path) -> None:
    run = store_run(tmp_path, gan_job(tmp_path))
    assert read_sheets(run, most=4) == []
    draw_sheets(pictures_path(run), [1, 2, 5, *range(10, 101, 10)])
    told = [sheet.epoch for sheet in read_sheets(run, most=4)]
    assert len(told) == 4 and told[0] == 1 and told[-1] == 100 and told == sorted(told)
    assert len(read_sheets(run, most=50)) == 13
    assert all(sheet.png.startswith(b"\x89PNG") for sheet in read_sheets(run, most=50))


def test_the_page_shows_what_was_made_beside_stored_maps_and_tells_troubles(tmp_path: Path) -> None:
    job_file = gan_job(tmp_path)
    run = store_run(tmp_path, job_file)
    draw_sheets(pictures_path(run), [1, 2, 3])
    write_history(history_path(run), [rival_epoch(number, warned=number > 1) for number in (1, 2, 3)])
    page, text = read_page(write_report(run, job_file))
    pictures = [value for tag, name, value in page.attributes if tag == "img" and name == "src"]
    assert len(pictures) == 3 and all(each.startswith("data:image/png;base64,") for each in pictures)
    for words in (
        "Wafer maps of each class",
        "After epoch 1",
        "After epoch 3",
        "D loss 1.230",
        "Diversity 0.830 1: as diverse as real samples",
        "Warning collapse: the generator makes much the same again and again (epoch 2 to 3, 2 in all of 3)",
        "The generator of the last epoch is kept",
    ):
        assert words in text
    assert "Held-out" not in text and "Fréchet" not in text and "chose the saved network" not in text
