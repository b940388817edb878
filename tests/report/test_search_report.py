"""The report tells a search: who won and how sure that is, what mattered, what it cost; also with very many trials."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.report.story_of_a_search import HOURS, Fate, tell_search
from tests.report.test_html import Page, read_page
from tests.search.searched_job import searched_job
from tests.train.stored_run import small_job
from xpshpc.cli.status_page import describe_status
from xpshpc.config import JobFile, validate_job
from xpshpc.events import EventLog
from xpshpc.report.html import write_report
from xpshpc.report.importance import good_share, weigh_parameters
from xpshpc.report.parameters import find_varied
from xpshpc.report.run_summary import summarise_run
from xpshpc.report.scale_figure import find_scale
from xpshpc.report.search_figures import draw_curves, draw_parallel
from xpshpc.report.search_page import compose_search
from xpshpc.report.search_story import SearchStory, read_search_story
from xpshpc.report.status import read_status
from xpshpc.run_directory import RunDirectory
from xpshpc.search.events import TrialStarted
from xpshpc.search.ledger import journal_path
from xpshpc.search.result import read_search
from xpshpc.search.state import State
from xpshpc.search.trial import Trial
from xpshpc.store.stage import hold_stage
from xpshpc.train.history import EpochFinished, history_path, write_history

RATE, WIDTH, LOSS = "train.learning_rate", "train.parameters.features", "train.task.loss"
GRID = {RATE: [1e-3, 3e-3, 1e-2], LOSS: ["rmse", "mae"], WIDTH: [8, 16]}
SOURCE = "10.0000/<known>"


def points_job(folder: Path, *points: dict[str, Any], **search: Any) -> JobFile:
    tables = small_job(folder, parameters={}).resolved()
    return validate_job({**tables, "search": {"points": points, **search}}, where="test", folder=folder)


def tell(folder: Path, job_file: JobFile, fate: Fate, **more: Any) -> tuple[RunDirectory, SearchStory]:
    run = RunDirectory(folder / "run")
    tell_search(run, job_file, fate, **more)
    story = read_search_story(run, job_file)
    assert story is not None
    return run, story


def by_rate(trial: Trial) -> tuple[State, float]:
    """The learning rate decides nearly all, the width nothing; one point fails, one is stopped, one is to do."""
    if trial.parameters[WIDTH] == 16 and trial.parameters[RATE] == 1e-2:
        return (State.FAILED if trial.parameters[LOSS] == "rmse" else State.STOPPED), 0.4
    if trial.parameters == {RATE: 1e-2, LOSS: "rmse", WIDTH: 8} and trial.repeat:
        return State.PENDING, 0.0
    accuracy = {1e-3: 0.9, 3e-3: 0.8, 1e-2: 0.5}[trial.parameters[RATE]]
    return State.FINISHED, accuracy + (0.01 if trial.parameters[LOSS] == "mae" else 0.0) - 0.004 * trial.repeat


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDirectory, JobFile]:
    folder = tmp_path_factory.mktemp("grid")
    job_file = searched_job(folder, GRID, repeats=2, metric="accuracy")
    return tell(folder, job_file, by_rate, held_out_less=0.02)[0], job_file


@pytest.fixture(scope="module")
def page(grid: tuple[RunDirectory, JobFile]) -> tuple[Page, str]:
    return read_page(write_report(*grid, now=lambda: datetime(2026, 11, 22, tzinfo=UTC)))


@pytest.mark.parametrize(
    "told",
    [
        "Accuracy on the validation samples, the largest is best", "19 of 24 finished, 2 stopped, 2 failed, 1 pending",
        "every trial is done", "90.80 % ± 0.28 %", "± 2.54 %", "88.80 %", "Parallel coordinates", "Learning curves",
        "Importance of each parameter", "arXiv:2304.10255", "Cost of each trial", "2 stopped early end with a dot",
        "search/best/model.keras", "Of the best trial of the search", "<b>loss</b> is not finite",
    ],
)  # fmt: skip
def test_the_page_tells_who_won_how_sure_that_is_and_what_failed(page: tuple[Page, str], told: str) -> None:
    assert told in page[1]


def test_every_trial_that_was_begun_is_a_line_a_curve_and_a_bar(grid: tuple[RunDirectory, JobFile]) -> None:
    story = read_search_story(*grid)
    assert story is not None and len(story.trials) == 23
    assert sum(trial.core_hours for trial in story.trials) == pytest.approx(23 * HOURS)
    assert [parameter.title for parameter in story.varied] == ["learning_rate", "loss", "features"]
    known = [trial for trial in story.trials if trial.value is not None]
    assert len(known) == 21, "all but the two that failed"
    # Beside its trials the picture has other lines: as many, whatever their number.
    others = draw_parallel(story).count('id="line2d_') - len(known)
    few = SearchStory(story.result, story.trials[:12], drawn=False, best=story.best)
    assert few.varied == story.varied
    assert draw_parallel(few).count('id="line2d_') - others == sum(trial.value is not None for trial in few.trials)
    assert draw_curves(story).startswith("<svg")


def test_the_cost_of_a_search_is_that_of_its_trials_and_no_trial_counts_twice(
    grid: tuple[RunDirectory, JobFile],
) -> None:
    summary = summarise_run(*grid)
    assert [stage.name for stage in summary.stages] == ["search"]
    assert summary.stages[0].core_s == pytest.approx(23 * HOURS * 3600)
    assert summary.is_best_trial and summary.train.learning_rate == 1e-3 and summary.history


def test_what_decides_weighs_most_and_the_weights_sum_to_one(grid: tuple[RunDirectory, JobFile]) -> None:
    story = read_search_story(*grid)
    assert story is not None
    weights = weigh_parameters(story)
    assert weights[0][0] == "learning_rate" and {title for title, _ in weights} == {"learning_rate", "loss", "features"}
    assert sum(share for _, share in weights) == pytest.approx(1.0)
    assert [share for _, share in weights] == sorted((share for _, share in weights), reverse=True)
    few = SearchStory(story.result, story.trials[:7], drawn=False, best=story.best)
    assert weigh_parameters(few) == ()
    assert (good_share(8), good_share(20), good_share(1000)) == (0.5, 0.25, 0.1)


def test_status_tells_trials_best_and_that_nothing_is_left(grid: tuple[RunDirectory, JobFile]) -> None:
    status = read_status(grid[0])
    assert status.search is not None and status.stage == "search"
    counts = {state: status.search[state] for state in map(str, State) if status.search[state]}
    assert counts == {"finished": 19, "stopped": 2, "failed": 2, "pending": 1}
    assert status.search["trials"] == sum(counts.values())
    assert status.search["best"]["value"] == pytest.approx(0.91)
    assert (status.search["working"], status.search["time_left_s"], status.search["under_way"]) == (False, None, [])


def test_status_tells_what_is_under_way_while_a_coordinator_is_at_work(tmp_path: Path) -> None:
    job_file = searched_job(tmp_path, {RATE: [1e-3, 3e-3]}, metric="accuracy")
    run, _ = tell(tmp_path, job_file, lambda _: (State.PENDING, 0.0))
    first, _ = read_search(run, job_file).trials
    with EventLog(journal_path(run)) as log:
        log.emit(TrialStarted(first.id, dict(first.parameters), 0, 1))
    epoch = EpochFinished(1, 3, 0.1, {"accuracy": 0.5}, 1.0, 9.0, 1e-3, 0.0)
    write_history(history_path(first.run(run)), [epoch])
    with hold_stage(run, "search"):
        status = read_status(run)
        assert status.search is not None and status.search["working"] and not status.complete
        assert (status.search["running"], status.search["pending"], status.search["best"]) == (1, 1, None)
        (under_way,) = status.search["under_way"]
        assert (under_way["id"], under_way["epochs_done"], under_way["epochs"]) == (first.id, 1, 3)
        lines = list(describe_status(status))
        assert "search, working" in lines[0]
        assert "search    0 of 2 trials finished, 1 running, 1 pending" in lines
        assert "trial     learning_rate 0.001: 1 of 3 epochs" in lines
    stopped = read_status(run).search
    assert stopped is not None and not stopped["working"] and stopped["pending"] == 2 and not stopped["under_way"]


def test_a_point_is_named_and_stands_beside_what_was_published(tmp_path: Path) -> None:
    ours = {"<i>plain</i>": 0.95, "deep": 0.6}
    job_file = points_job(
        tmp_path,
        {"name": "deep", "parameters": {"train.network": "dnn"}, "published": {"accuracy": 0.64}, "source": SOURCE},
        {"name": "<i>plain</i>", "parameters": {RATE: 2e-3}, "published": {"accuracy": 0.9928}, "source": SOURCE},
        metric="loss",
    )
    run, story = tell(tmp_path, job_file, lambda trial: (State.FINISHED, ours[trial.name]), held_out_less=0.1)
    board = compose_search(story).board
    assert board is not None
    assert [row[1] for row in board.rows] == ["<i>plain</i>", "deep"]
    columns = dict(zip(board.columns, zip(*board.rows, strict=True), strict=True))
    assert columns["Accuracy"] == ("95.00 %", "60.00 %")
    assert columns["Accuracy, held out"] == ("85.00 %", "50.00 %")
    assert columns["Accuracy, published"] == ("99.28 %", "64.00 %")
    assert columns["Epochs"] == ("3", "3")
    page, text = read_page(write_report(run, job_file))
    assert "<i>plain</i>" in text and f"Published: {SOURCE}." in text
    assert not any(tag == "i" for tag, _, _ in page.attributes)
    networks = [parameter for parameter in story.varied if parameter.key == "train.network"]
    assert networks[0].values == ("dnn", "vanilla_cnn"), "what a point does not name, it has from the job"


@pytest.mark.parametrize("with_epochs", [False, True])
def test_one_number_that_varies_is_drawn_as_what_it_buys(tmp_path: Path, with_epochs: bool) -> None:
    sizes = (64, 128, 256)
    points = [
        {
            "name": str(size),
            "parameters": {"train.samples": size, **({"train.epochs": 512 // size} if with_epochs else {})},
        }
        for size in sizes
    ]
    job_file = points_job(tmp_path, *points, metric="accuracy", repeats=2)
    power = -0.5
    _, story = tell(
        tmp_path,
        job_file,
        lambda trial: (State.FINISHED, 1 - 2 * trial.parameters["train.samples"] ** power),
        held_out_less=0.0,
    )
    scale = find_scale(story)
    assert scale is not None
    assert (scale.title, scale.score, scale.validation.values) == ("samples", "1 − accuracy", tuple(map(float, sizes)))
    assert scale.exponent == pytest.approx(power) and all(len(scores) == 2 for scores in scale.validation.scores)
    page = compose_search(story)
    titles = [figure.title for figure in page.figures]
    assert "What samples buys" in titles and "Parallel coordinates" not in titles
    assert any("to the power of −0.50" in figure.caption for figure in page.figures)


def test_two_numbers_that_vary_by_themselves_are_no_scale(tmp_path: Path) -> None:
    job_file = searched_job(tmp_path, {RATE: [1e-3, 1e-2], WIDTH: [8, 16]}, metric="accuracy")
    _, story = tell(tmp_path, job_file, lambda trial: (State.FINISHED, 0.5 + trial.parameters[RATE]))
    assert find_scale(story) is None


def test_two_hundred_trials_stay_readable(tmp_path: Path) -> None:
    grid = {RATE: [1e-4 * 1.2**n for n in range(25)], LOSS: ["rmse", "mae"], WIDTH: [8, 16, 32, 64]}
    job_file = searched_job(tmp_path, grid, metric="accuracy")

    def fate(trial: Trial) -> tuple[State, float]:
        good = 0.9 - 0.1 * abs(math.log(trial.parameters[RATE] / 1e-3))
        return (State.FINISHED if good > 0.7 else State.STOPPED), good

    run, story = tell(tmp_path, job_file, fate)
    path = write_report(run, job_file)
    assert len(story.trials) == 200 and path.stat().st_size < 700_000
    rate = story.varied[0]
    assert len(rate.ticks()) == 5 and rate.logarithmic
    read_page(path)


def test_a_search_that_has_not_begun_is_said_to_be_so(tmp_path: Path) -> None:
    job_file = searched_job(tmp_path, GRID)
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    _, text = read_page(write_report(run, job_file))
    assert "No trial has finished yet." in text and read_status(run).search is None


def test_values_stand_where_their_kind_says() -> None:
    rate, width, word = find_varied(
        [
            {"a.rate": 1e-3, "a.width": 8, "a.word": "x", "a.same": 1},
            {"a.rate": 1e-1, "a.width": 16, "a.word": None, "a.same": 1.0},
            {"a.rate": 1e-2, "a.width": 10, "a.word": [1, 2], "a.same": 1},
        ]
    )
    assert [rate.place(value) for value in (1e-3, 1e-2, 1e-1)] == pytest.approx([0, 0.5, 1])
    assert [width.place(value) for value in (8, 10, 16)] == pytest.approx([0, 0.25, 1])
    assert word.ticks() == [(0.0, "x"), (0.5, "default"), (1.0, "[1, 2]")]
