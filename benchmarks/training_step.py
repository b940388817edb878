"""Training steps by themselves: real spectra in memory, a network with its default sizes, and no loader."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from xpshpc.cluster.communicator import GradientCommunicator
from xpshpc.config import JobFile, validate_job
from xpshpc.domain import Problem
from xpshpc.train.step import Stepper

_RATE = 1e-4


def training_job(network: str, **train: Any) -> JobFile:
    """A job whose [train] has this network and these keys; its spectra are those of the defaults."""
    tables = {"name": "steps", "seed": 1, "generate": {"samples": 1}, "spectra": {}, "train": train}
    tables["train"] = {"network": network, **train}
    return validate_job(tables, where="benchmark", folder=Path())


def simulate_batch(job_file: JobFile, rows: int) -> tuple[Any, Any]:
    """Inputs and truth of some spectra."""
    job = job_file.job
    problem = job_file.problem()
    source = job_file.domain.source(job.generate.source, job_file.settings, job.generate.options, job.seed)
    made = source.make(np.arange(rows))
    return problem.features(made), problem.targets(made)


def make_stepper(job_file: JobFile, problem: Problem, inputs: Any, ranks: GradientCommunicator) -> Stepper:
    """The job's network, with the same first weights on every rank."""
    train = job_file.job.train
    return Stepper(problem.network(train.network, train.parameters, inputs.shape[1:], 1), problem, ranks, train)


def seconds_a_step(stepper: Stepper, batch: tuple[Any, Any], steps: int) -> float:
    """The mean over some steps; the first one ever compiles."""
    inputs, truth = batch
    began = time.perf_counter()
    for _ in range(steps):
        stepper.step(inputs, truth, _RATE, stop=False)
    return (time.perf_counter() - began) / steps
