"""Trials side by side: whatever dies, a search comes to the same end, with nothing left running and nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import psutil
import pytest

from tests.search.searched_job import searched_job
from tests.train.stored_run import store_run
from xpshpc.errors import Drained
from xpshpc.evaluate.evaluate import metrics_path
from xpshpc.events import StageProgressed, read_events
from xpshpc.run_directory import RunDirectory, open_run
from xpshpc.search.ledger import journal_path
from xpshpc.search.result import read_search
from xpshpc.search.room import Room
from xpshpc.search.search import search
from xpshpc.search.state import State
from xpshpc.train.history import history_path, read_history
from xpshpc.train.result import checkpoints_path, read_result

pytestmark = pytest.mark.ranks

RATES = [1e-3, 3e-3, 5e-3]
EPOCHS = 60
PATIENCE_S = 120
TWO = Room(ranks=1, parallel=2)

STRIKE = """
import os, signal, sys
from pathlib import Path
import psutil
from xpshpc.events import StageProgressed
from xpshpc.run_directory import open_run
from xpshpc.search.room import Room
from xpshpc.search.search import search

struck = []

def strike(event):
    if isinstance(event, StageProgressed) and event.done >= 2 and not struck:
        everyone = [each for each in psutil.Process().children(recursive=True) if each.status() != "zombie"]
        struck.append(next(child for child in everyone if "xpshpc.train" in child.cmdline()))
        struck[0].kill()
    elif isinstance(event, StageProgressed) and event.done >= int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

search(*open_run(Path(sys.argv[1])), Room(ranks=1, parallel=2), on_event=strike)
"""


def happened(run: RunDirectory, kind: str) -> list[dict]:
    return [event for event in read_events(journal_path(run)) if event["event"] == kind]


def processes_of(run: RunDirectory) -> list[psutil.Process]:
    """Attempts and ranks of this run's trials, whoever their parent is by now."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or ()
        alive = process.info["status"] != psutil.STATUS_ZOMBIE
        if alive and any(word.startswith(str(run.search / "trials")) for word in words):
            found.append(process)
    return found


def most_at_a_time(run: RunDirectory) -> int:
    under_way, most = set(), 0
    for event in read_events(journal_path(run)):
        if event["event"] == "SearchStarted":
            under_way.clear()
        elif event["event"] == "TrialStarted":
            under_way.add(event["trial"])
        elif event["event"] in ("TrialFinished", "TrialFailed", "TrialLeft", "TrialPaused"):
            under_way.discard(event["trial"])
        most = max(most, len(under_way))
    return most


@pytest.mark.faults
def test_a_killed_rank_a_killed_coordinator_and_a_stop_cost_no_trial_and_repeat_none(tmp_path):
    job_file = searched_job(tmp_path, {"train.learning_rate": RATES}, train={"epochs": EPOCHS}, parallel=2)
    run = store_run(tmp_path, job_file)
    killed = subprocess.run([sys.executable, "-c", STRIKE, str(run.path), str(EPOCHS + 10)], check=False)
    assert killed.returncode == -signal.SIGKILL
    deadline = time.monotonic() + PATIENCE_S
    while processes_of(run):
        assert time.monotonic() < deadline, "attempts or ranks outlive their coordinator"
        time.sleep(0.1)
    begun = read_search(run, job_file)
    assert begun.count(State.RUNNING) == 0 and begun.count(State.PENDING) > 0
    (failure,) = happened(run, "TrialFailed")
    assert (failure["cause"], failure["decision"]) == ("killed", "again")

    def ask(event):
        if isinstance(event, StageProgressed) and event.done >= EPOCHS + 20:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Drained, match="of 3 trials left"):
        search(*open_run(run.path), TWO, on_event=ask)
    assert processes_of(run) == []
    stopped = read_search(run, job_file)
    assert stopped.ended == "stopped" and stopped.count(State.RUNNING) == 0
    left = {event["trial"] for event in happened(run, "TrialLeft")}
    result = search(run, job_file, TWO)
    assert result.count(State.FINISHED) == 3 and result.ended == "complete"
    finished = Counter(event["trial"] for event in happened(run, "TrialFinished"))
    assert sorted(finished) == sorted(trial.id for trial in result.trials) and set(finished.values()) == {1}
    assert most_at_a_time(run) == 2
    trained = {trial.id: read_result(trial.run(run), trial.settings) for trial in result.trials}
    assert all(told is not None and told.epochs == EPOCHS for told in trained.values())
    assert any(trained[trial].resumed_from for trial in left)
    assert not any(checkpoints_path(trial.run(run)).exists() for trial in result.trials)
    assert all(outcome.core_hours > 0 for outcome in result.outcomes.values())
    assert sum(outcome.attempts for outcome in result.outcomes.values()) == len(happened(run, "TrialStarted"))
    before = journal_path(run).read_bytes()
    assert search(run, job_file, TWO).as_json() == result.as_json()
    added = [json.loads(line)["event"] for line in journal_path(run).read_bytes()[len(before) :].splitlines()]
    assert added == ["SearchStarted", "SearchEnded"]


def test_of_trials_compared_early_the_best_goes_on_and_is_scored_on_what_none_has_seen(tmp_path):
    point = {"name": "slow", "parameters": {"train.learning_rate": 1e-6}, "published": {"loss": 0.5}}
    job_file = searched_job(
        tmp_path,
        {"train.learning_rate": RATES[:2]},
        train={"epochs": 3},
        points=[point],
        halving={"first_epochs": 1, "factor": 3},
        parallel=2,
        evaluate=True,
    )
    run = store_run(tmp_path, job_file)
    result = search(run, job_file, TWO)
    assert (result.count(State.FINISHED), result.count(State.STOPPED), result.ended) == (1, 2, "complete")
    first_rung = {}
    for trial in result.trials:
        history = read_history(history_path(trial.run(run)))
        first_rung[trial.id] = history[0].validation["loss"]
        finished = result.outcomes[trial.id].state is State.FINISHED
        assert len(history) == result.outcomes[trial.id].epochs == (3 if finished else 1)
        assert trial.run(run).model.exists() == finished and not checkpoints_path(trial.run(run)).exists()
    (best,) = result.leaderboard
    assert best.trials == (min(first_rung, key=first_rung.__getitem__),)
    told = result.as_json()
    assert {trial["epochs"] for trial in told["unfinished"]} == {1} and len(told["unfinished"]) == 2
    scores = json.loads(metrics_path(RunDirectory(run.search / "trials" / best.trials[0])).read_bytes())
    assert best.held_out["rmse"] == scores["rmse"] and told["unscored"] == []
    assert [trial.name for trial in result.trials].count("slow") == 1
    assert [event["epochs"] for event in happened(run, "TrialPaused")] == [1, 1, 1]
    starts = len(happened(run, "TrialStarted"))
    assert starts == 4
    assert search(run, job_file, TWO).as_json() == told and len(happened(run, "TrialStarted")) == starts
