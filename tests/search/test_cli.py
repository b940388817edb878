"""`xpshpc search` answers people with a table and programs with one JSON value."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from tests.search.searched_job import searched_job
from xpshpc.cli.app import run_app
from xpshpc.cli.search import show_search
from xpshpc.events import EventLog
from xpshpc.run_directory import RunDirectory, save_job
from xpshpc.search.events import SearchEnded, TrialFailed, TrialFinished
from xpshpc.search.ledger import journal_path
from xpshpc.search.result import read_search
from xpshpc.train.result import card_path


@pytest.fixture
def searched(tmp_path):
    """A run whose search has two finished trainings of its first point, and of the second a failed one."""
    grid = {"train.learning_rate": [1e-3, 3e-3], "train.parameters.features": [8]}
    job_file = searched_job(tmp_path, grid, repeats=2, metric="accuracy")
    run = RunDirectory(tmp_path / "run")
    save_job(run, job_file)
    first, second, again, _ = read_search(run, job_file).trials
    with EventLog(journal_path(run)) as log:
        for trial, accuracy in ((first, 0.9), (again, 0.8)):
            folder = trial.run(run)
            folder.train.mkdir(parents=True)
            folder.model.touch()
            card_path(folder).touch()
            log.emit(TrialFinished(trial.id, {"accuracy": accuracy, "loss": 0.5}, 1, 2, 90.0))
        log.emit(TrialFailed(second.id, "refused", "loss is not finite [anywhere]", "give_up"))
        log.emit(SearchEnded("out_of_time", 200.0))
    return run, job_file


def test_people_see_the_points_in_order_what_failed_and_what_is_left(searched):
    shown = io.StringIO()
    show_search(Console(file=shown), read_search(*searched).as_json())
    text = shown.getvalue()
    assert "85.00 % ± 7.07 %" in text and "± 63.53 %" in text and "1 min 30 s" in text
    assert "loss is not finite [anywhere]" in text
    assert "2 of 4 finished, 1 failed, 1 to do, 1 min 30 s" in text
    assert "no other trial would end before" in text
    assert text.rstrip().splitlines()[-1].startswith(f"best      {searched[0].search / 'best' / 'model.keras'}")


def test_a_dry_run_tells_every_trial_and_makes_nothing(searched, capfd):
    run, _ = searched
    before = sorted(run.path.rglob("*"))
    assert run_app(["search", str(run.path), "--dry-run", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert [trial["state"] for trial in told["plan"]] == ["finished", "finished", "failed", "pending"]
    assert told["dry_run"] and told["trials"] == 4 and told["leaderboard"][0]["repeats"] == 2
    assert sorted(run.path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--ranks", "5"], "cannot be shared evenly"),
        (["--set", "search.metric='acuracy'"], "did you mean 'accuracy'"),
        (["--set", "search.budget.untill='07:00'"], "did you mean 'until'"),
        (["--set", "search.parameters.generate.samples=[1, 2]"], "decides the data"),
        ([], "no data set"),
    ],
)
def test_what_cannot_be_searched_is_one_json_value_and_exit_code_2(searched, capfd, arguments, says):
    assert run_app(["search", str(searched[0].path), "--json", *arguments]) == 2
    told = json.loads(capfd.readouterr().out)
    assert says in told["error"] and told["exit_code"] == 2
