"""Evaluation as a stage: what is asked, whether it is already answered, and the gang that answers it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xpshpc.config import JobFile
from xpshpc.errors import UsageError
from xpshpc.evaluate.blocks import Work, plan_work
from xpshpc.events import Listener, StageFinished, StageProgressed, StageStarted
from xpshpc.follow import Follower
from xpshpc.plan.identity import data_hash, hash_json
from xpshpc.run_directory import RunDirectory
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
    """A run's scores on samples that training never saw.

    `metrics` is what the science makes of them (JSON) with `samples` and `frechet`; `reused` tells that they were there
    before and nothing was computed.
    """

    run: str
    ranks: int
    seconds: float
    metrics: dict[str, Any]
    reused: bool

    def as_json(self) -> dict[str, Any]:
        return {
            "run": self.run,
            **self.metrics,
            "ranks": self.ranks,
            "seconds": round(self.seconds, 3),
            "reused": self.reused,
        }


def metrics_path(run: RunDirectory) -> Path:
    """Where a run's metrics are: JSON, with the question they answer."""
    return run.evaluate / "metrics.json"


def predictions_path(run: RunDirectory) -> Path:
    """Where truth and answer of the first held-out samples are: .npz, arrays `truth.NAME` and `answer.NAME`."""
    return run.evaluate / "predictions.npz"


def events_path(run: RunDirectory) -> Path:
    """Where the first rank tells its progress."""
    return run.evaluate / "events.jsonl"


def pose_question(run: RunDirectory, job_file: JobFile) -> dict[str, Any]:
    """All that decides the metrics (JSON): the model file, the samples and the settings. Ranks do not."""
    with run.model.open("rb") as file:
        model = hashlib.file_digest(file, "sha256").hexdigest()
    resolved = job_file.resolved()
    return {
        "schema": SCHEMA,
        "model_sha256": model,
        "data_hash": data_hash(job_file),
        "settings": hash_json([resolved[name] for name in ("split", "evaluate", job_file.domain.section)]),
    }


def read_evaluation(run: RunDirectory, question: Mapping[str, Any] | None = None) -> Evaluation | None:
    """The metrics of a run; None where there are none, or none for this question."""
    if not predictions_path(run).is_file():
        return None
    try:
        found = json.loads(metrics_path(run).read_bytes())
        answered, ranks, seconds = (found.pop(name) for name in ("question", "ranks", "seconds"))
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    if question is not None and answered != question:
        return None
    return Evaluation(str(run.path), ranks, seconds, found, reused=True)


def evaluate(
    run: RunDirectory,
    job_file: JobFile,
    *,
    ranks: int,
    launcher: Launcher = "gloo",
    step: Step | None = None,
    on_event: Listener | None = None,
) -> Evaluation:
    """Scores the run's model on its held-out samples, shared by `ranks` processes.

    Writes evaluate/metrics.json and evaluate/predictions.npz; where they answer the same question already, nothing is
    computed. Raises UsageError, before any rank starts, where the model or a shard is missing.
    """
    from xpshpc.cluster.ranks.gang import run_gang

    if not run.model.is_file():
        raise UsageError("no trained model here", where=str(run.model), try_=f"xpshpc train {run.path}")
    before = read_evaluation(run, pose_question(run, job_file))
    if before is not None:
        return before
    _check_stored(plan_work(job_file), run)
    with hold_stage(run, "evaluate") as lease:
        events_path(run).unlink(missing_ok=True)
        follower = Follower(events_path(run), _TOLD, on_event)

        def attend() -> None:
            lease.beat()
            follower.pass_on()

        run_gang(
            "xpshpc.evaluate",
            [str(run.path)],
            ranks=ranks,
            launcher=launcher,
            step=step,
            log_directory=run.logs / "evaluate",
            while_waiting=attend,
        )
    answered = read_evaluation(run)
    assert answered is not None, "the ranks ended well without metrics"
    return Evaluation(answered.run, answered.ranks, answered.seconds, answered.metrics, reused=False)


def _check_stored(work: Work, run: RunDirectory) -> None:
    missing = sorted(work.shards - set(Store(run).committed))
    if missing:
        shown = ", ".join(map(str, missing[:5])) + (", …" if len(missing) > 5 else "")
        raise UsageError(
            f"{len(missing)} of {len(work.shards)} shards to evaluate on are not stored yet: {shown}",
            where=str(run.data),
            try_=f"xpshpc generate {run.path}",
        )
    if sum(map(len, work.held_out)) < 2:
        raise UsageError("a single held-out sample tells nothing", where="split.held_out", try_="make more samples")
