"""Progress tells a log what happens in plain lines, and a terminal in bars; never on stdout."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from xpshpc.events import Event, StageFinished, StageProgressed, StageStarted
from xpshpc.generate.events import (
    AllocationFailed,
    NodeExcluded,
    SampleQuarantined,
    ShardFailed,
    WorkerKilled,
    WorkersRequested,
)
from xpshpc.report.progress import TerminalProgress
from xpshpc.train.history import EpochFinished


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def epoch(number: int, loss: float) -> EpochFinished:
    return EpochFinished(number, 3, loss, {"accuracy": 1 - loss, "loss": 2 * loss}, 1.5, 1300.0, 1e-3, 0.02)


def events() -> list[Event]:
    return [
        StageStarted("generate", 20000, 4000, "samples"),
        *(StageProgressed("generate", done) for done in range(4000, 20001, 250)),
        ShardFailed(3, 1, "worker_lost", "killed by signal 9", "try again", "node", 7, 0.5),
        SampleQuarantined(3, 6150, "bad_output", "NaN in [spectrum]"),
        StageFinished("generate", 65.0),
        StageStarted("train", 30, 0, "steps"),
        *(told for n in (1, 2, 3) for told in (StageProgressed("train", 10 * n, f"epoch {n}"), epoch(n, 0.4 / n))),
        StageFinished("train", 12.0),
    ]


def show(told: list[Event], *, terminal: bool, width: int = 100, quiet: bool = False) -> str:
    clock, output = Clock(), io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=width, highlight=False, color_system="standard")
    with TerminalProgress(console, clock=clock, quiet_in_logs=quiet) as progress:
        for event in told:
            clock.now += 1.0
            progress(event)
    return output.getvalue()


def test_a_log_has_plain_lines_with_rate_and_time_left() -> None:
    text = show(events(), terminal=False)
    assert "\x1b" not in text and "\r" not in text
    assert "generate: 20 000 samples, 4 000 already there" in text
    assert re.search(r"generate: [\d ]+/20 000 samples, 250/s, \d+ s so far, \d+ s left \(\d+ %\)", text)
    assert "shard 3, attempt 1 failed (worker lost): killed by signal 9" in text
    assert "sample 6150 is put in quarantine (bad output): NaN in [spectrum]" in text
    assert "generate: done in 1 min 05 s" in text
    assert "epoch 2 of 3: loss 0.2000" in text and "Accuracy 80.00 %" in text
    assert "train: done in 12 s" in text


def test_a_log_is_not_flooded() -> None:
    lines = show(events(), terminal=False).splitlines()
    # 16 000 samples at one event a second: a line at every tenth of the work or ten seconds, whichever comes first.
    assert 5 <= sum(line.startswith("generate: ") for line in lines) <= 12


def test_a_log_holds_the_loss_curve_at_the_end_of_training() -> None:
    text = show(events(), terminal=False)
    curve = text[text.index("epoch 3 of 3") :]
    assert "loss" in curve and "training 0.1333" in curve and "validation 0.2667" in curve
    assert re.search("[\u2801-\u28ff]", curve)


def test_a_terminal_has_bars_that_are_full_at_the_end() -> None:
    text = show(events(), terminal=True)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert re.search(r"generate +━+ 100 %", plain)
    assert "20 000 samples in 1 min 05 s" in plain
    assert re.search(r"train +━+ 100 %", plain)
    assert "shard 3, attempt 1 failed" in plain


def written(text: str) -> str:
    """What is left on the terminal's lines when all that was drawn over is gone; colours are dropped."""
    lines, row = [""], 0
    for part in re.split(r"(\x1b\[[0-9;?]*[A-Za-z]|\r|\n)", text):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part == "\x1b[1A":
            row -= 1
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part != "\r" and not part.startswith("\x1b"):
            lines[row] += part
    return "\n".join(lines)


def test_epochs_stand_in_one_table_above_the_bar_while_a_training_goes_on() -> None:
    screen = written(show(events()[:-1], terminal=True))
    lines = screen.splitlines()
    assert screen.count("Validation loss") == 1
    assert [line.split()[0] for line in lines if re.search(r"\b\d/3\b", line)] == ["1/3", "2/3", "*"]
    bar = next(number for number, line in enumerate(lines) if line.startswith("train"))
    assert bar > max(number for number, line in enumerate(lines) if "3/3" in line)


def test_the_table_of_epochs_stays_when_the_training_is_over() -> None:
    later = [StageStarted("evaluate", 5, 0, "batches"), StageFinished("evaluate", 1.0)]
    screen = written(show([*events(), *later], terminal=True))
    assert screen.count("Validation loss") == 1
    assert screen.index("3/3") < screen.index("validation 0.2667") < screen.index("evaluate")


def test_epochs_of_a_training_that_nobody_announced_are_told_in_lines() -> None:
    assert "epoch 1 of 3: loss" in show([epoch(1, 0.4)], terminal=True)


@pytest.mark.parametrize("width", [40, 80])
def test_a_narrow_terminal_keeps_each_stage_on_one_line(width: int) -> None:
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", show(events()[:20], terminal=True, width=width))
    assert all(len(line) <= width for line in plain.replace("\r", "\n").splitlines())


def test_quiet_in_logs_says_nothing_there_but_shows_bars_on_a_terminal() -> None:
    assert show(events(), terminal=False, quiet=True) == ""
    assert "generate" in show(events(), terminal=True, quiet=True)


def test_nothing_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    with TerminalProgress() as progress:
        for event in events():
            progress(event)
    said = capsys.readouterr()
    assert said.out == ""
    assert "generate: done" in said.err


def test_events_of_an_unknown_stage_are_passed_over() -> None:
    assert show([StageProgressed("other", 3), StageFinished("other", 1.0)], terminal=True) is not None


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (WorkersRequested(2, ("17", "18")), "2 worker jobs asked for: 17, 18"),
        (AllocationFailed("17", "node2", "NODE_FAIL"), "worker job 17 failed on node2: NODE_FAIL"),
        (AllocationFailed("17", "", "cancelled"), "worker job 17 failed: cancelled"),
        (NodeExcluded("node2", "2 jobs failed there"), "no more workers are sent to node2: 2 jobs failed there"),
        (WorkerKilled("node1", 7, 3, 30.0), "worker 7 on node1 is killed: no sign of life from shard 3 for 30 s"),
    ],
)
def test_what_befalls_workers_is_told_in_a_line(event: Event, words: str) -> None:
    assert words in show([event], terminal=False)
