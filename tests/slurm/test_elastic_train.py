"""A network trained elastically on SLURM's nodes loses a rank in mid-epoch, and learns what it would have learned."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.slurm.gang_on_nodes import step_for
from tests.train.stored_run import small_job, store_run
from xpshpc.cluster.minislurm import Cluster
from xpshpc.config import JobFile
from xpshpc.events import Event, StageProgressed
from xpshpc.run_directory import RunDirectory
from xpshpc.train.checkpoint import latest_checkpoint
from xpshpc.train.history import RanksChanged, history_path, read_history
from xpshpc.train.launch import train
from xpshpc.train.result import TrainResult, checkpoints_path, settings_hash

pytestmark = [pytest.mark.slurm, pytest.mark.ranks, pytest.mark.faults]

EPOCHS = 3
PATIENCE_S = 120


def fresh_run(folder: Path, **train: object) -> tuple[RunDirectory, JobFile]:
    """Epochs of many small steps, of which a loss is never the last one by chance."""
    job_file = small_job(folder, samples=1200, shard_samples=96, epochs=EPOCHS, global_batch=4, **train)
    return store_run(folder, job_file), job_file


def rank_processes(run: RunDirectory) -> dict[int, psutil.Process]:
    """The ranks of a run on the nodes, which are this host's processes, by seat."""
    found = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if words[1:4] == ["-P", "-m", "xpshpc.cluster.ranks.rank"] and words[-1] == str(run.path):
                told = process.environ()
                found[int(told.get("XPSHPC_SEAT", told["SLURM_PROCID"]))] = process
    return found


class Accident:
    """Kills the rank in seat 0 in the first half of an epoch; the other waits until its replacement has come."""

    def __init__(self, run: RunDirectory, steps_of_an_epoch: int) -> None:
        self.changes: list[RanksChanged] = []
        self._run = run
        self._steps = steps_of_an_epoch
        self._killed: psutil.Process | None = None
        self._waiting: threading.Thread | None = None

    def __call__(self, event: Event) -> None:
        if (
            isinstance(event, StageProgressed)
            and self._killed is None
            and 0 < event.done % self._steps < self._steps / 2
        ):
            self._killed = rank_processes(self._run)[0]
            self._killed.kill()
        if isinstance(event, RanksChanged):
            self.changes.append(event)
            if event.lost:
                self._waiting = threading.Thread(target=self._hold_the_other)
                self._waiting.start()

    def close(self) -> None:
        if self._waiting is not None:
            self._waiting.join()

    def _hold_the_other(self) -> None:
        """The training would be over before TensorFlow has started in the replacement."""
        other = rank_processes(self._run)[1]
        other.send_signal(signal.SIGSTOP)
        try:
            deadline = time.monotonic() + PATIENCE_S
            while not self._replacement_calls():
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            other.send_signal(signal.SIGCONT)

    def _replacement_calls(self) -> bool:
        """Whether it has a line to its launcher besides its leash."""
        newcomer = rank_processes(self._run).get(0)
        if newcomer is None or newcomer == self._killed:
            return False
        with suppress(psutil.NoSuchProcess):
            lines = newcomer.net_connections("tcp")
            return sum(line.status == psutil.CONN_ESTABLISHED for line in lines) > 1
        return False


def test_a_rank_killed_in_mid_epoch_is_replaced_and_leaves_no_trace_in_the_loss_curve(
    slurm_environment: Cluster, tmp_path: Path
) -> None:
    expected_run, plain = fresh_run(tmp_path / "undisturbed")
    train(expected_run, plain, ranks=1)
    run, job_file = fresh_run(tmp_path / "disturbed", elastic={"min_ranks": 1})
    train(run, job_file, ranks=1, until_epoch=1)
    paused = latest_checkpoint(checkpoints_path(run), settings_hash(job_file))
    assert paused is not None
    an_epoch = paused.progress.steps_done
    accident = Accident(run, an_epoch)
    step = step_for(2, memory_per_rank_mb=1800)
    result = train(run, job_file, ranks=2, launcher="srun-gloo", step=step, on_event=accident)
    accident.close()
    lost, whole = accident.changes
    assert (lost.ranks, list(lost.lost), list(lost.joined)) == (1, [0], [])
    assert (whole.ranks, list(whole.lost), list(whole.joined)) == (2, [], [0])
    assert an_epoch < lost.step <= whole.step and lost.step % an_epoch
    assert isinstance(result, TrainResult) and (result.resumed_from, result.ranks) == (an_epoch, 2)
    curve, expected = (read_history(history_path(each)) for each in (run, expected_run))
    assert len(curve) == len(expected) == EPOCHS
    for mine, theirs in zip(curve, expected, strict=True):
        assert (mine.epoch, mine.learning_rate) == (theirs.epoch, theirs.learning_rate)
        assert mine.loss == pytest.approx(theirs.loss, rel=1e-4)
        assert mine.validation == pytest.approx(theirs.validation, rel=1e-3)
    assert run.model.exists() and not slurm_environment.leftovers()
