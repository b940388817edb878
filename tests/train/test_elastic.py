"""A training that loses ranks and takes new ones in learns what it would have learned undisturbed."""

import signal
import threading
import time
from contextlib import suppress

import psutil
import pytest

from tests.train.stored_run import small_job, store_run
from xpshpc.cluster.ranks.elastic import RanksLost
from xpshpc.errors import UsageError
from xpshpc.events import StageStarted
from xpshpc.train.checkpoint import latest_checkpoint
from xpshpc.train.history import EpochFinished, RanksChanged, history_path, read_history
from xpshpc.train.launch import train
from xpshpc.train.result import checkpoints_path, settings_hash

EPOCHS = 12


def fresh_run(folder, **elastic):
    job_file = small_job(folder, epochs=EPOCHS, **({"elastic": elastic} if elastic else {}))
    return store_run(folder, job_file), job_file


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The loss curve of one rank from beginning to end."""
    run, job_file = fresh_run(tmp_path_factory.mktemp("undisturbed"))
    train(run, job_file, ranks=1)
    return read_history(history_path(run))


def assert_same_curve(run, undisturbed):
    curve = read_history(history_path(run))
    assert [epoch.epoch for epoch in curve] == list(range(1, EPOCHS + 1))
    for epoch, expected in zip(curve, undisturbed, strict=True):
        assert epoch.learning_rate == expected.learning_rate
        assert epoch.loss == pytest.approx(expected.loss, rel=1e-4)
        assert epoch.validation == pytest.approx(expected.validation, rel=1e-3)


def rank_processes():
    """The ranks by seat, which the names of their logs tell."""
    found = {}
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if "xpshpc.train" in child.cmdline():
                found[int(child.environ()["XPSHPC_SEAT"])] = child
    return found


def hold_until_it_calls(newcomer, *others):
    """Stops the ranks that go on, so that the training is not over before the replacement has started."""
    for other in others:
        other.send_signal(signal.SIGSTOP)
    deadline = time.monotonic() + 120
    while not any(line.status == psutil.CONN_ESTABLISHED for line in newcomer.net_connections("tcp")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1.0)  # it has called; that it waits for a group is its next word
    for other in others:
        other.send_signal(signal.SIGCONT)


@pytest.mark.ranks
@pytest.mark.faults
def test_ranks_that_are_killed_and_replaced_leave_no_trace_in_the_loss_curve(undisturbed, tmp_path):
    run, job_file = fresh_run(tmp_path, min_ranks=2)
    changes, helpers = [], []

    def disturb(event):
        ranks = rank_processes()
        if isinstance(event, EpochFinished) and (event.epoch, len(changes)) in ((2, 0), (7, 2)):
            # First one that follows, then the one that writes the files.
            ranks[1 if not changes else 0].kill()
        if isinstance(event, RanksChanged):
            changes.append(event)
            if event.lost:
                (seat,) = event.lost
                others = [process for other, process in ranks.items() if other != seat]
                helpers.append(threading.Thread(target=hold_until_it_calls, args=(ranks[seat], *others)))
                helpers[-1].start()

    result = train(run, job_file, ranks=3, on_event=disturb)
    for helper in helpers:
        helper.join()
    assert [(change.ranks, change.lost, change.joined) for change in changes] == [
        (2, [1], []),
        (3, [], [1]),
        (2, [0], []),
        (3, [], [0]),
    ]
    assert 0 < changes[0].step <= changes[1].step <= changes[2].step <= changes[3].step
    assert_same_curve(run, undisturbed)
    assert result.ranks == 3 and result.epochs == EPOCHS and run.model.exists()
    assert result.resumed_from is None
    assert rank_processes() == {}


@pytest.mark.ranks
@pytest.mark.faults
def test_below_its_smallest_number_of_ranks_it_ends_and_can_be_gone_on_with(undisturbed, tmp_path):
    run, job_file = fresh_run(tmp_path, min_ranks=2, replace=False)
    events = []

    def disturb(event):
        events.append(event)
        if isinstance(event, EpochFinished) and event.epoch == 3 and 0 in (ranks := rank_processes()):
            ranks[0].kill()

    with pytest.raises(RanksLost, match=r"1 of 2 ranks are left, train\.elastic\.min_ranks asks for 2"):
        train(run, job_file, ranks=2, on_event=disturb)
    assert rank_processes() == {} and not run.model.exists()
    (change,) = [event for event in events if isinstance(event, RanksChanged)]
    stopped_at = latest_checkpoint(checkpoints_path(run), settings_hash(job_file)).progress
    assert change.lost == [0] and stopped_at.steps_done == change.step + 1
    result = train(run, job_file, ranks=2, on_event=events.append)
    assert result.resumed_from == stopped_at.steps_done
    assert [event.done for event in events if isinstance(event, StageStarted)][-1] == stopped_at.steps_done
    assert_same_curve(run, undisturbed)


@pytest.mark.parametrize("launcher", ["mpirun", "srun-pmix"])
def test_a_launcher_that_ends_all_ranks_together_is_refused_before_anything_starts(launcher, tmp_path):
    run, job_file = fresh_run(tmp_path, min_ranks=1)
    with pytest.raises(UsageError, match=r"train\.elastic cannot go on"):
        train(run, job_file, ranks=2, launcher=launcher)
    assert not (run.logs / "train").exists()


def test_elasticity_does_not_change_what_is_learned(tmp_path):
    plain, elastic = small_job(tmp_path), small_job(tmp_path, elastic={"min_ranks": 2})
    assert settings_hash(plain) == settings_hash(elastic)
