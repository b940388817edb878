"""The journal is the memory of a search: what it tells adds up, also when its writer was killed in the middle."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from tests.search.searched_job import searched_job
from xpshpc.errors import UsageError
from xpshpc.events import EventLog
from xpshpc.run_directory import RunDirectory
from xpshpc.search.events import (
    SearchEnded,
    SearchStarted,
    TrialFailed,
    TrialFinished,
    TrialLeft,
    TrialPaused,
    TrialReopened,
    TrialScored,
    TrialStarted,
    TrialStopped,
    TrialSuggested,
)
from xpshpc.search.leaderboard import half_width, rank_points
from xpshpc.search.ledger import journal_path
from xpshpc.search.metric import Metric, check_metric, choose_metric
from xpshpc.search.outcome import Outcome
from xpshpc.search.result import read_search
from xpshpc.search.state import State
from xpshpc.search.trial import make_trial
from xpshpc.store.stage import hold_stage
from xpshpc.train.result import card_path


@pytest.fixture
def job_file(tmp_path):
    return searched_job(tmp_path, {"train.learning_rate": [1e-3, 3e-3, 1e-2]}, repeats=2, metric="accuracy")


@pytest.fixture
def run(tmp_path):
    return RunDirectory(tmp_path / "run")


def write(run, *events):
    with EventLog(journal_path(run)) as log:
        for event in events:
            log.emit(event)


def finish(run, trial, accuracy, seconds=10.0):
    folder = trial.run(run)
    folder.train.mkdir(parents=True)
    folder.model.touch()
    card_path(folder).touch()
    return TrialFinished(trial.id, {"loss": 1.0, "accuracy": accuracy}, 1, 1, seconds)


def test_a_search_that_has_not_begun_is_all_to_do(run, job_file):
    found = read_search(run, job_file)
    told = found.as_json()
    assert (told["trials"], told["finished"], told["failed"], told["pending"]) == (6, 0, 0, 6)
    assert told["best"] is None and told["leaderboard"] == [] and told["seconds_to_come"] is None


def test_every_trial_is_finished_failed_or_pending_whatever_the_journal_tells(run, job_file):
    trials = read_search(run, job_file).trials
    write(
        run,
        SearchStarted(6, 0, "17"),
        *(TrialStarted(trial.id, dict(trial.parameters), trial.repeat, 1) for trial in trials[:4]),
        finish(run, trials[0], 0.9),
        TrialFailed(trials[1].id, "refused", "not finite", "give_up"),
        TrialFailed(trials[2].id, "killed", "SIGKILL", "again"),
        TrialFinished("of-another-search", {"accuracy": 1.0}, 1, 1, 1.0),
    )
    found = read_search(run, job_file)
    assert [found.outcomes[trial.id].state for trial in trials] == [
        State.FINISHED, State.FAILED, State.PENDING, State.PENDING, State.PENDING, State.PENDING,
    ]  # fmt: skip
    told = found.as_json()
    assert told["finished"] + told["failed"] + told["pending"] == told["trials"] == 6
    assert told["best"]["id"] == trials[0].id and told["best"]["value"] == 0.9
    assert told["seconds_to_come"] == 10.0 * 4
    assert {failure["cause"] for failure in told["failures"]} == {"refused", "killed"}


def test_a_torn_line_is_passed_over_and_the_next_writer_begins_a_new_one(run, job_file):
    trials = read_search(run, job_file).trials
    write(run, finish(run, trials[0], 0.9))
    with journal_path(run).open("ab") as file:
        file.write(b'{"time":1.0,"event":"TrialFinished","trial":"' + trials[1].id.encode()[:5])
    assert read_search(run, job_file).count(State.FINISHED) == 1
    write(run, finish(run, trials[2], 0.8), SearchEnded("stopped", 1.0))
    found = read_search(run, job_file)
    assert [trial.id for trial in trials if found.outcomes[trial.id].state is State.FINISHED] == [
        trials[0].id,
        trials[2].id,
    ]
    assert found.ended == "stopped"


def test_a_failed_trial_that_is_opened_again_is_pending_with_its_allowances_whole(run, job_file):
    first = read_search(run, job_file).trials[0]
    write(
        run,
        TrialStarted(first.id, dict(first.parameters), 0, 1),
        TrialFailed(first.id, "crash", "exit code 1", "give_up"),
        TrialReopened(first.id),
    )
    assert read_search(run, job_file).outcomes[first.id] == Outcome(State.PENDING, attempts=1)


def test_a_network_that_was_removed_is_trained_again(run, job_file):
    first = read_search(run, job_file).trials[0]
    write(run, finish(run, first, 0.9))
    first.run(run).model.unlink()
    assert read_search(run, job_file).outcomes[first.id].state is State.PENDING


@pytest.mark.parametrize(("largest", "best_first"), [(True, [1, 0, 2]), (False, [0, 1, 2])])
def test_points_are_ranked_by_their_mean_and_no_number_is_the_last(run, job_file, largest, best_first):
    """Two trainings a point: (0.7, 0.9) against (0.85, 0.95); one of the third told NaN."""
    trials = read_search(run, job_file).trials
    values = [0.7, 0.95, math.nan, 0.9, 0.85, 0.99]
    outcomes = {
        trial.id: Outcome(State.FINISHED, validation={"accuracy": value})
        for trial, value in zip(trials, values, strict=True)
    }
    standings = rank_points(trials, outcomes, Metric("accuracy", largest))
    points = [trials[place].parameters for place in best_first]
    assert [standing.parameters for standing in standings] == points
    by_parameters = {standing.parameters["train.learning_rate"]: standing for standing in standings}
    assert by_parameters[1e-3].mean == pytest.approx(0.8)
    assert by_parameters[1e-3].spread == pytest.approx(math.sqrt(2) / 10)
    assert by_parameters[1e-3].trials[0] == trials[3 if largest else 0].id
    assert by_parameters[1e-2].spread is None


@pytest.mark.parametrize("values", [(0.7, 0.9), (1.0, 1.2, 0.9, 1.1, 1.4)])
def test_the_interval_of_a_mean_is_that_of_students_t(values):
    low, high = scipy.stats.t.interval(0.95, len(values) - 1, np.mean(values), scipy.stats.sem(values))
    assert half_width(values) == pytest.approx((high - low) / 2, rel=1e-6)
    assert half_width(values[:1]) is None


def test_every_attempt_is_charged_whatever_it_came_to(run, job_file):
    first, second, third = read_search(run, job_file).trials[:3]
    write(
        run,
        TrialStarted(first.id, dict(first.parameters), 0, 1, until_epoch=1),
        TrialPaused(first.id, 1, {"accuracy": 0.5}, 10.0, 0.1, 0.01),
        TrialStarted(first.id, dict(first.parameters), 0, 2),
        TrialFailed(first.id, "killed", "SIGKILL", "again", 5.0, 0.05, 0.0),
        TrialStarted(first.id, dict(first.parameters), 0, 3),
        TrialLeft(first.id, 2.0, 0.02, 0.0),
        TrialStarted(second.id, dict(second.parameters), 0, 1, until_epoch=1),
        TrialPaused(second.id, 1, {"accuracy": 0.25}, 10.0, 0.1),
        TrialStopped(second.id, 1),
        TrialPaused(third.id, 1, {"accuracy": 0.75}, 10.0, 0.1),
    )
    found = read_search(run, job_file)
    states = [found.outcomes[trial.id].state for trial in (first, second, third)]
    assert states == [State.PENDING, State.STOPPED, State.PAUSED]
    told = found.as_json()
    assert sum(told[state] for state in State) == told["trials"] == 6
    assert told["core_hours"] == pytest.approx(0.37) and told["gpu_hours"] == pytest.approx(0.01)
    assert found.outcomes[first.id].seconds == 17.0 and found.outcomes[first.id].attempts == 3
    assert [(trial["id"], trial["epochs"], trial["value"]) for trial in told["unfinished"]] == [
        (second.id, 1, 0.25),
        (third.id, 1, 0.75),
    ]


def test_a_trial_is_running_only_while_somebody_coordinates_the_search(run, job_file):
    first = read_search(run, job_file).trials[0]
    write(run, TrialStarted(first.id, dict(first.parameters), 0, 1))
    with hold_stage(run, "search"):
        assert read_search(run, job_file).count(State.RUNNING) == 1
    assert read_search(run, job_file).count(State.RUNNING) == 0


def test_scores_are_kept_and_what_kept_a_network_from_them_is_told(run, job_file):
    first, second = read_search(run, job_file).trials[:2]
    write(
        run,
        finish(run, first, 0.9),
        finish(run, second, 0.8),
        TrialScored(first.id, {"accuracy": 0.85, "rmse": 0.1}),
        TrialScored(second.id, why="no held-out shard"),
    )
    told = read_search(run, job_file).as_json()
    assert told["best"]["held_out"] == told["leaderboard"][0]["held_out"] == {"accuracy": 0.85, "rmse": 0.1}
    assert [(each["id"], each["why"]) for each in told["unscored"]] == [(second.id, "no held-out shard")]
    assert told["finished"] == 2


def test_drawn_trials_are_read_back_and_those_of_another_space_are_passed_over(tmp_path, run):
    span = {"train.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}
    job_file = searched_job(tmp_path, span, strategy="tpe", draws=3)
    drawn, foreign = (make_trial(job_file, {"train.learning_rate": rate}, 0, source="tpe") for rate in (3e-3, 1.0))
    write(
        run,
        *(TrialSuggested(each.id, 0, dict(each.parameters), 0, "", "tpe") for each in (foreign, drawn)),
        TrialSuggested("0123456789ab", 1, {"train.learning_rate": 2e-3}, 0, "", "tpe"),
    )
    found = read_search(run, job_file)
    assert [trial.id for trial in found.trials] == [drawn.id] and found.trials[0].source == "tpe"
    told = found.as_json()
    assert (told["trials"], told["pending"]) == (3, 3)


@pytest.mark.parametrize(
    ("name", "goal", "largest"),
    [
        ("loss", None, False),
        ("rmse", None, False),
        ("thickness_mae_A", None, False),
        ("accuracy", None, True),
        ("mean_f1", None, True),
        ("accuracy", "smallest", False),
        ("loss", "largest", True),
    ],
)
def test_a_metric_has_a_direction(tmp_path, name, goal, largest):
    asked = searched_job(tmp_path, {"train.epochs": [1, 2]}, metric=name, **({"goal": goal} if goal else {}))
    assert choose_metric(asked.job.search).largest is largest


def test_a_metric_that_the_science_does_not_know_is_refused_with_those_it_knows(job_file):
    for name in ("loss", "accuracy", "rmse", "thickness_mae_A"):
        check_metric(Metric(name, True), job_file)
    with pytest.raises(UsageError, match="did you mean 'accuracy'") as fault:
        check_metric(Metric("acuracy", True), job_file)
    assert "thickness_mae_A" in fault.value.try_
