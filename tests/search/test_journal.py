"""The journal is the memory of a search: what it tells adds up, also when its writer was killed in the middle."""

from __future__ import annotations

import math

import pytest

from tests.search.searched_job import searched_job
from xpshpc.errors import UsageError
from xpshpc.events import EventLog
from xpshpc.run_directory import RunDirectory
from xpshpc.search.events import SearchEnded, SearchStarted, TrialFailed, TrialFinished, TrialReopened, TrialStarted
from xpshpc.search.leaderboard import rank_points
from xpshpc.search.metric import Metric, check_metric, choose_metric
from xpshpc.search.outcome import Outcome, State
from xpshpc.search.result import journal_path, read_search
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
