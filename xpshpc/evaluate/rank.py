"""One rank's part of an evaluation: its blocks answered, its sums and features merged with those of the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.cluster.communicator import Communicator
from xpshpc.cluster.merge import Arrays, add_sums, gather_rows, merge_sums
from xpshpc.config import JobFile
from xpshpc.domain import Problem, check_sound
from xpshpc.errors import UsageError
from xpshpc.evaluate.blocks import Block, Work, plan_work, read_blocks, share_blocks, take_rows
from xpshpc.evaluate.frechet import frechet_distance
from xpshpc.evaluate.other_data import plan_other_work
from xpshpc.evaluate.pool import pool, pool_parts
from xpshpc.evaluate.predict import FEATURE_LAYER, Predictor
from xpshpc.run_directory import RunDirectory
from xpshpc.store.read import Store

KEPT_PREDICTIONS = 4096
"""Held-out samples whose truth and answer are kept for parity plots; more would not be seen in them."""

SMALLEST_PART = 2

OnSamples = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Findings:
    """What all ranks found together: metrics (JSON), and truth and answer of the first held-out samples by name."""

    metrics: dict[str, Any]
    truth: dict[str, NDArray[Any]]
    answer: dict[str, NDArray[Any]]


@dataclass(eq=False)
class _HeldOut:
    """What this rank collects from its held-out blocks."""

    samples: int = 0
    sums: dict[str, NDArray[np.float64]] | None = None
    truths: list[Arrays] = field(default_factory=list)
    answers: list[Arrays] = field(default_factory=list)
    features: list[NDArray[Any]] = field(default_factory=list)


def evaluate_on_rank(
    run: RunDirectory,
    job_file: JobFile,
    communicator: Communicator,
    on_samples: OnSamples = lambda samples: None,
    *,
    other: RunDirectory | None = None,
) -> Findings:
    """Scores the run's model on this rank's share of the blocks; every rank returns the same findings.

    What is scored are the run's held-out samples, or all of the run `other`. `on_samples` hears how many more of this
    rank's samples were answered. Raises UsageError where no valid sample is left, and for samples that are not finite.
    """
    problem = job_file.problem()
    store = Store(run)
    scored = store if other is None else Store(other)
    work = plan_work(job_file) if other is None else plan_other_work(job_file, scored)
    predictor = Predictor(run.model, job_file.job.evaluate.batch)
    held_out = _answer_held_out(work, problem, scored, predictor, communicator, on_samples)
    samples = int(communicator.allreduce(float(held_out.samples), "sum"))
    if samples == 0:
        raise UsageError(
            "every held-out sample is in quarantine",
            where=str(scored.run.data),
            try_=f"xpshpc status {scored.run.path}",
        )
    metrics = problem.summarise(merge_sums(held_out.sums, communicator), _calibration(run)) | {"samples": samples}
    if job_file.job.evaluate.frechet:
        training = _answer_training(work, problem, store, predictor, communicator, on_samples)
        metrics["frechet"] = _compare(training, _joined(held_out.features, predictor), communicator)
    return Findings(metrics, gather_rows(held_out.truths, communicator), gather_rows(held_out.answers, communicator))


def _answer_held_out(
    work: Work,
    problem: Problem,
    store: Store,
    predictor: Predictor,
    communicator: Communicator,
    on_samples: OnSamples,
) -> _HeldOut:
    kept = {_place(block): len(block) for block in take_rows(work.held_out, KEPT_PREDICTIONS)}
    compared = {_place(block): len(block) for block in work.frechet_held_out}
    found = _HeldOut()
    mine = share_blocks(work.held_out, communicator.rank, communicator.size)
    for block, rows in read_blocks(store, problem.reads, mine):
        inputs, truth = problem.features(rows), problem.targets(rows)
        check_sound(block.shard, inputs, truth)
        answer, features = predictor.predict(inputs)
        if len(features):
            found.sums = add_sums(found.sums, problem.score(truth, answer))
        found.samples += len(features)
        found.truths.append(_first_rows(truth, kept.get(_place(block), 0)))
        found.answers.append(_first_rows(answer, kept.get(_place(block), 0)))
        found.features.append(features[: compared.get(_place(block), 0)])
        on_samples(len(features))
    return found


def _answer_training(
    work: Work,
    problem: Problem,
    store: Store,
    predictor: Predictor,
    communicator: Communicator,
    on_samples: OnSamples,
) -> NDArray[Any]:
    features = []
    mine = share_blocks(work.frechet_training, communicator.rank, communicator.size)
    for block, rows in read_blocks(store, problem.reads, mine):
        inputs = problem.features(rows)
        check_sound(block.shard, inputs, {})
        features.append(predictor.predict(inputs).features)
        on_samples(len(features[-1]))
    return _joined(features, predictor)


def _compare(training: NDArray[Any], held_out: NDArray[Any], communicator: Communicator) -> dict[str, Any]:
    """The distance between both sets, and those between parts of the first: two halves, and one as large as the second.

    A sample does not depend on its index, so every k-th one makes as fair a part as lots would.
    """
    n_a, n_b = (int(communicator.allreduce(float(len(rows)), "sum")) for rows in (training, held_out))
    halves = pool_parts(training, n_a // 2, communicator)
    distance = frechet_distance(halves.whole, pool(held_out, communicator))
    same_size = halves if n_b >= n_a // 2 else pool_parts(training, n_b, communicator)
    found = {**distance.as_json(), "layer": FEATURE_LAYER}
    for name, parts in (("split_half", halves), ("same_size", same_size)):
        possible = min(n_a // 2, n_b) >= SMALLEST_PART
        between = frechet_distance(parts.chosen, parts.others) if possible else None
        found[f"{name}_baseline"] = between.value if between else None
        found[f"{name}_n"] = [between.n_a, between.n_b] if between else None
    return found


def _calibration(run: RunDirectory) -> Mapping[str, Any]:
    """What the training found out about the model's trustworthiness; {} where it did not."""
    try:
        told = json.loads(run.model_card.read_bytes())
    except (OSError, ValueError):
        return {}
    return told.get("calibration") or {}


def _place(block: Block) -> tuple[int, int]:
    return block.shard, block.start


def _first_rows(arrays: Arrays, rows: int) -> Arrays:
    return {name: values[:rows] for name, values in arrays.items()}


def _joined(features: list[NDArray[Any]], predictor: Predictor) -> NDArray[Any]:
    return np.concatenate([np.zeros((0, predictor.feature_width), np.float32), *features])
