"""Seconds that each network takes to learn from, and to answer, 100 000 spectra on one core: short runs scaled up."""

from __future__ import annotations

import os
import time
from typing import Any

from benchmarks.table import Row
from benchmarks.training_step import make_stepper, seconds_a_step, simulate_batch, training_job
from xpshpc.cluster.communicator import Solo
from xpshpc.spectra.models import NETWORKS
from xpshpc.train.step import Stepper, configure_tensorflow

SPECTRA = 100_000
BATCH = 128
_MEASURED_S = 10.0


def run(scale: float) -> list[Row]:
    """Rows of this benchmark; `scale` 1 measures ten seconds of steps of each network."""
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # it warns of functions compiled anew: here each network has its own
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    configure_tensorflow(threads=1, local_rank=0, seed=1)
    batch = simulate_batch(training_job(NETWORKS[0]), BATCH)
    rows = []
    for network in NETWORKS:
        job_file = training_job(network, global_batch=BATCH)
        stepper = make_stepper(job_file, job_file.problem(), batch[0], Solo())
        step_s, steps = _long_enough(stepper, batch, _MEASURED_S * scale)
        rows += [
            Row(f"{network}: {SPECTRA} spectra, scaled up from {steps * BATCH}", step_s * SPECTRA / BATCH, "s"),
            Row("  to answer them", _seconds_to_answer(stepper, batch) * SPECTRA / BATCH, "s"),
            Row("  weights", stepper.network.count_params() / 1e6, "million"),
        ]
    return rows


def _long_enough(stepper: Stepper, batch: tuple[Any, Any], measured_s: float) -> tuple[float, int]:
    """Seconds a step, and of how many steps that is the mean: as many as fill the time, at least two."""
    seconds_a_step(stepper, batch, 1)  # compiles
    steps = max(2, round(measured_s / seconds_a_step(stepper, batch, 1)))
    return seconds_a_step(stepper, batch, steps), steps


def _seconds_to_answer(stepper: Stepper, batch: tuple[Any, Any]) -> float:
    stepper.answer(*batch)  # compiles
    began = time.perf_counter()
    for _ in range(2):
        stepper.answer(*batch)
    return (time.perf_counter() - began) / 2
