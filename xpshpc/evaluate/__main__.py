"""One rank of an evaluation: `python -m xpshpc.evaluate RUN [OTHER]`."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from xpshpc.cluster.communicator import open_communicator
from xpshpc.evaluate.blocks import plan_work
from xpshpc.evaluate.evaluate import events_path, metrics_path, pose_question, predictions_path
from xpshpc.evaluate.other_data import plan_other_work
from xpshpc.evaluate.predict import use_one_thread
from xpshpc.evaluate.rank import Findings, evaluate_on_rank
from xpshpc.events import EventLog, StageFinished, StageProgressed, StageStarted
from xpshpc.run_directory import RunDirectory, open_run, write_atomically
from xpshpc.store.read import Store


def main(run_path: Path, other_path: Path | None = None) -> None:
    """Evaluates together with the other ranks; the first one tells its progress and writes what all found."""
    run, job_file = open_run(run_path)
    other = None if other_path is None else RunDirectory(other_path)
    use_one_thread()
    begun = time.monotonic()
    with open_communicator() as communicator:
        if communicator.rank:
            evaluate_on_rank(run, job_file, communicator, other=other)
            return
        question = pose_question(run, job_file, other)
        with EventLog(events_path(run, other)) as log:
            work = plan_work(job_file) if other is None else plan_other_work(job_file, Store(other))
            total = sum(map(len, (*work.held_out, *work.frechet_training)))
            log.emit(StageStarted("evaluate", total, 0, "samples"))
            done = 0

            def tell(samples: int) -> None:
                nonlocal done
                done += samples
                # The other ranks' shares are as large as this one's and progress alike.
                log.emit(StageProgressed("evaluate", min(total, done * communicator.size)))

            findings = evaluate_on_rank(run, job_file, communicator, tell, other=other)
            seconds = time.monotonic() - begun
            save_findings(run, findings, question, communicator.size, seconds, other)
            log.emit(StageFinished("evaluate", round(seconds, 3)))


def save_findings(
    run: RunDirectory,
    findings: Findings,
    question: Mapping[str, Any],
    ranks: int,
    seconds: float,
    other: RunDirectory | None = None,
) -> None:
    """Writes the predictions, then the metrics that make the evaluation complete."""
    archive = io.BytesIO()
    arrays = {f"truth.{name}": values for name, values in findings.truth.items()}
    arrays |= {f"answer.{name}": values for name, values in findings.answer.items()}
    np.savez_compressed(archive, allow_pickle=False, **arrays)
    write_atomically(predictions_path(run, other), archive.getvalue())
    answer = {**findings.metrics, "ranks": ranks, "seconds": round(seconds, 3), "question": question}
    write_atomically(metrics_path(run, other), json.dumps(answer, indent=1).encode())


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
