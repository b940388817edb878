"""Evaluation as a stage: what is asked, whether it is already answered, and the gang that answers it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xpshpc.config import JobFile
from xpshpc.domain import AdversarialProblem
from xpshpc.errors import UsageError
from xpshpc.evaluate.blocks import Work, plan_work
from xpshpc.evaluate.other_data import check_other_data, plan_other_work
from xpshpc.events import Listener, StageFinished, StageProgressed, StageStarted
from xpshpc.follow import Follower
from xpshpc.plan.identity import data_hash, hash_json
from xpshpc.run_directory import RunDirectory, open_run
from xpshpc.store.read import Store
from xpshpc.store.stage import hold_stage

if TYPE_CHECKING:
    from xpshpc.cluster.profile import Launcher
    from xpshpc.cluster.ranks.step import Step

SCHEMA = 2
"""Raised when the same model and samples would give other metrics."""

_TOLD = (StageStarted, StageProgressed, StageFinished)


@dataclass(frozen=True)
class Evaluation:
    """A run's scores on samples that training never saw: its own held-out ones, or those of the run `data`.

    `metrics` is what the science makes of them (JSON) with `samples` and `frechet`; `reused` tells that they were there
    before and nothing was computed.
    """

    run: str
    ranks: int
    seconds: float
    metrics: dict[str, Any]
    reused: bool
    data: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "run": self.run,
            **({} if self.data is None else {"data": self.data}),
            **self.metrics,
            "ranks": self.ranks,
            "seconds": round(self.seconds, 3),
            "reused": self.reused,
        }


def metrics_path(run: RunDirectory, other: RunDirectory | None = None) -> Path:
    """Where a run's metrics are, on its own held-out samples or on those of another run: JSON, with their question."""
    return _folder(run, other) / "metrics.json"


def predictions_path(run: RunDirectory, other: RunDirectory | None = None) -> Path:
    """Where truth and answer of the first scored samples are: .npz, arrays `truth.NAME` and `answer.NAME`."""
    return _folder(run, other) / "predictions.npz"


def events_path(run: RunDirectory, other: RunDirectory | None = None) -> Path:
    """Where the first rank tells its progress."""
    return _folder(run, other) / "events.jsonl"


def _folder(run: RunDirectory, other: RunDirectory | None) -> Path:
    return run.evaluate if other is None else run.evaluate / f"on-{other.path.resolve().name}"


def pose_question(run: RunDirectory, job_file: JobFile, other: RunDirectory | None = None) -> dict[str, Any]:
    """All that decides the metrics (JSON): the model file, the samples and the settings. Ranks do not."""
    with run.model.open("rb") as file:
        model = hashlib.file_digest(file, "sha256").hexdigest()
    resolved = job_file.resolved()
    return {
        "schema": SCHEMA,
        "model_sha256": model,
        "data_hash": data_hash(job_file),
        "settings": hash_json([resolved[name] for name in ("split", "evaluate", job_file.domain.section)]),
        **({} if other is None else {"other_data_hash": Store(other).plan.data_hash}),
    }


def read_evaluation(
    run: RunDirectory, question: Mapping[str, Any] | None = None, other: RunDirectory | None = None
) -> Evaluation | None:
    """The metrics of a run; None where there are none, or none for this question."""
    if not predictions_path(run, other).is_file():
        return None
    try:
        found = json.loads(metrics_path(run, other).read_bytes())
        answered, ranks, seconds = (found.pop(name) for name in ("question", "ranks", "seconds"))
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    if question is not None and answered != question:
        return None
    return Evaluation(
        str(run.path), ranks, seconds, found, reused=True, data=None if other is None else str(other.path)
    )


def evaluate(
    run: RunDirectory,
    job_file: JobFile,
    *,
    ranks: int,
    launcher: Launcher = "gloo",
    step: Step | None = None,
    other: RunDirectory | None = None,
    on_event: Listener | None = None,
) -> Evaluation:
    """Scores the run's model on its held-out samples, or on all samples of another run, shared by `ranks` processes.

    Writes metrics.json and predictions.npz into evaluate/, or into evaluate/on-NAME for another run of that name; where
    they answer the same question already, nothing is computed. Raises UsageError, before any rank starts, where the
    model or a shard is missing, and what `check_other_data` raises.
    """
    from xpshpc.cluster.ranks.gang import run_gang

    if isinstance(job_file.problem(), AdversarialProblem):
        raise UsageError(
            "a generator answers nothing that could be scored: it is judged by what it makes",
            where=str(run.path),
            try_="xpshpc fid A B, of images that it made and real ones",
        )
    if not run.model.is_file():
        raise UsageError("no trained model here", where=str(run.model), try_=f"xpshpc train {run.path}")
    if other is None:
        work = plan_work(job_file)
    else:
        other, other_job = open_run(other.path)
        check_other_data(run, job_file, Store(other), other_job)
        work = plan_other_work(job_file, Store(other))
    before = read_evaluation(run, pose_question(run, job_file, other), other)
    if before is not None:
        return before
    _check_stored(work, run, own=other is None)
    with hold_stage(run, "evaluate") as lease:
        events_path(run, other).unlink(missing_ok=True)
        follower = Follower(events_path(run, other), _TOLD, on_event)

        def attend() -> None:
            lease.beat()
            follower.pass_on()

        run_gang(
            "xpshpc.evaluate",
            [str(run.path), *([] if other is None else [str(other.path)])],
            ranks=ranks,
            launcher=launcher,
            step=step,
            log_directory=run.logs / "evaluate",
            while_waiting=attend,
        )
    answered = read_evaluation(run, other=other)
    assert answered is not None, "the ranks ended well without metrics"
    return replace(answered, reused=False)


def _check_stored(work: Work, run: RunDirectory, *, own: bool) -> None:
    """Raises UsageError where shards of the run are missing, or a single sample is to be scored; `own`: the run's."""
    wanted = work.shards if own else work.training_shards
    missing = sorted(wanted - set(Store(run).committed)) if wanted else []
    if missing:
        shown = ", ".join(map(str, missing[:5])) + (", …" if len(missing) > 5 else "")
        raise UsageError(
            f"{len(missing)} of {len(wanted)} shards to evaluate on are not stored yet: {shown}",
            where=str(run.data),
            try_=f"xpshpc generate {run.path}",
        )
    if sum(map(len, work.held_out)) < 2:
        where = "split.held_out" if own else "--data"
        raise UsageError("a single held-out sample tells nothing", where=where, try_="make more samples")
