"""A search does what is missing and nothing twice, whatever fails in it and however often it is stopped."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from datetime import datetime

import psutil
import pytest

from tests.search.searched_job import DIVERGING, searched_job
from tests.train.stored_run import store_run
from xpshpc.errors import EnvironmentFault, UsageError
from xpshpc.events import StageProgressed, read_events
from xpshpc.run_directory import LOCK, RunDirectory
from xpshpc.search.best import best_folder
from xpshpc.search.ledger import journal_path
from xpshpc.search.result import read_search
from xpshpc.search.room import Room
from xpshpc.search.search import search
from xpshpc.search.state import State
from xpshpc.spectra.model_card import find_model
from xpshpc.store.stage import hold_stage
from xpshpc.train.result import checkpoints_path, file_hash, read_result

ranks = pytest.mark.ranks

GOOD = 3e-3
BRIEF = {"epochs": 2}
ONE = Room(ranks=1)


def rates(folder, *values, **more):
    return searched_job(folder, {"train.learning_rate": list(values)}, train=BRIEF, metric="accuracy", **more)


def starts(run):
    """How often each trial's ranks were started."""
    return Counter(event["trial"] for event in read_events(journal_path(run)) if event["event"] == "TrialStarted")


def rank_processes():
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            found += [child] if "xpshpc.train" in child.cmdline() else []
    return found


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A search over a learning rate that learns and one that diverges."""
    folder = tmp_path_factory.mktemp("night")
    job_file = rates(folder, DIVERGING, GOOD)
    run = store_run(folder, job_file)
    events = []
    return run, search(run, job_file, ONE, on_event=events.append), events


@ranks
def test_a_trial_that_fails_is_listed_and_stops_no_other(night):
    run, result, events = night
    told = result.as_json()
    assert (told["trials"], told["finished"], told["failed"], told["pending"]) == (2, 1, 1, 0)
    assert told["ended"] == "complete" and told["best"]["parameters"] == {"train.learning_rate": GOOD}
    (failure,) = told["failures"]
    assert failure["parameters"] == {"train.learning_rate": DIVERGING}
    assert (failure["cause"], failure["state"]) == ("refused", "failed") and "from sound samples" in failure["why"]
    assert set(starts(run).values()) == {1}
    assert rank_processes() == []
    done = [event.done for event in events if isinstance(event, StageProgressed)]
    assert done == sorted(done) and done[-1] == 2 * BRIEF["epochs"]


@ranks
def test_the_best_network_is_exported_with_the_card_of_its_trial(night):
    run, result, _ = night
    best = result.as_json()["best"]
    trial = next(trial for trial in result.trials if trial.id == best["id"])
    trained = read_result(trial.run(run), trial.settings)
    assert trained is not None and trained.validation == best["validation"]
    assert best["value"] == best["validation"]["accuracy"]
    card = json.loads((best_folder(run) / "model.json").read_bytes())
    assert card["sha256"] == file_hash(best_folder(run) / "model.keras") == file_hash(trained.model)
    assert card["search"]["parameters"] == best["parameters"]
    assert find_model(best_folder(run)).model == best_folder(run) / "model.keras"
    assert not checkpoints_path(trial.run(run)).exists()
    assert {path.name for path in run.search.iterdir()} - {LOCK} == {"best", "journal.jsonl", "trials"}


@ranks
def test_called_again_it_trains_nothing(night):
    run, result, _ = night
    before, exported = starts(run), (best_folder(run) / "model.keras").stat()
    again = search(run, rates(run.path.parent, DIVERGING, GOOD), ONE)
    assert again.as_json() == result.as_json()
    assert starts(run) == before and (best_folder(run) / "model.keras").stat() == exported


@ranks
def test_a_budget_that_is_spent_ends_a_search_well_and_tells_what_is_left(night):
    run, _, _ = night
    before = starts(run)
    grown = (DIVERGING, GOOD, 1e-3)
    enough = search(run, rates(run.path.parent, *grown, budget={"trials": 2}), ONE)
    assert enough.ended == "enough_trials" and enough.count(State.PENDING) == 1
    almost_seven = datetime(2026, 11, 22, 6, 59, 59, 900_000).timestamp()
    late = search(run, rates(run.path.parent, *grown, budget={"until": "07:00"}), ONE, clock=lambda: almost_seven)
    assert late.ended == "out_of_time" and late.count(State.PENDING) == 1 and late.seconds_to_come > 0.1
    assert starts(run) == before


@ranks
def test_put_back_into_the_queue_a_search_keeps_its_first_deadline(night):
    run, _, _ = night
    before = starts(run)
    grown = rates(run.path.parent, DIVERGING, GOOD, 1e-3, budget={"until": "07:00"})
    asked = datetime(2026, 11, 22, 6, 59, 59, 900_000).timestamp()
    search(run, grown, ONE, job_id="17", clock=lambda: asked)
    again = search(run, grown, ONE, job_id="17", clock=lambda: asked + 3600)
    assert again.ended == "out_of_time" and starts(run) == before


@ranks
def test_a_grown_search_trains_only_what_is_new_and_repeats_are_other_networks(night):
    run, _, _ = night
    before = starts(run)
    result = search(run, rates(run.path.parent, GOOD, repeats=2), ONE)
    assert (starts(run) - before).total() == 1
    (point,) = result.leaderboard
    assert len(set(point.values)) == len(point.trials) == 2 and point.spread > 0
    assert point.values[0] > point.mean > point.values[1]
    card = json.loads((best_folder(run) / "model.json").read_bytes())
    assert card["search"]["trial"] == point.trials[0]


def test_ranks_that_cannot_be_started_stop_the_search_and_fail_no_trial(tmp_path, monkeypatch):
    job_file = rates(tmp_path, GOOD, 1e-3, allowances={"environment": 0})
    run = store_run(tmp_path, job_file)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFault, match="mpirun"):
        search(run, job_file, Room(2, launcher="mpirun"))
    found = read_search(run, job_file)
    assert found.count(State.PENDING) == 2
    (failure,) = found.as_json()["failures"]
    assert (failure["cause"], failure["state"]) == ("environment", "pending")


def test_a_trial_that_somebody_else_trains_stops_the_search_and_is_not_given_up(tmp_path):
    job_file = rates(tmp_path, GOOD)
    run = store_run(tmp_path, job_file)
    (trial,) = read_search(run, job_file).trials
    with hold_stage(trial.run(run), "train"), pytest.raises(UsageError, match="another process is training"):
        search(run, job_file, ONE)
    assert read_search(run, job_file).outcomes[trial.id].state is State.PENDING


def test_two_searches_of_one_run_at_a_time_are_refused(tmp_path):
    job_file = rates(tmp_path, GOOD)
    run = store_run(tmp_path, job_file)
    with hold_stage(run, "search"), pytest.raises(UsageError, match="another process is searching this run"):
        search(run, job_file, ONE)
    assert not journal_path(run).exists()


@pytest.mark.parametrize(
    ("job", "ranks_asked", "says"),
    [
        ({"metric": "acuracy"}, 1, "did you mean 'accuracy'"),
        ({}, 5, "cannot be shared evenly by 5 ranks"),
    ],
)
def test_what_cannot_be_tried_is_refused_before_anything_is_made(tmp_path, job, ranks_asked, says):
    job_file = searched_job(tmp_path, {"train.global_batch": [40, 48]}, **job)
    run = store_run(tmp_path, job_file)
    with pytest.raises(UsageError, match=says):
        search(run, job_file, Room(ranks_asked))
    assert not run.search.exists()


def test_a_search_without_data_is_refused(tmp_path):
    job_file = rates(tmp_path, GOOD)
    with pytest.raises(UsageError, match="no data set"):
        search(RunDirectory(tmp_path / "none"), job_file, ONE)
    half = store_run(tmp_path, job_file, leave_out=frozenset({3}))
    with pytest.raises(UsageError, match="not stored yet: 3"):
        search(half, job_file, ONE)
    assert not half.search.exists()
