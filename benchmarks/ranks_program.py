"""One rank of the benchmark `ranks`: `python -m benchmarks.ranks_program ANSWERS STEPS ROUNDS`.

It stays on one core. All its ways to take a step are measured in turn, round after round, so that what else the machine
does meets them alike; the median round counts.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xpshpc.cluster.communicator import GradientCommunicator, Solo, open_gradient_communicator

ROWS = 256
"""Samples a step of one rank alone."""

NETWORK = "vanilla_cnn"


def main(answers: Path, steps: int, rounds: int) -> None:
    """Measures and writes ANSWERS/rank-N-of-SIZE.json: seconds a step by the way it is taken."""
    with open_gradient_communicator() as ranks:
        cores = sorted(os.sched_getaffinity(0))
        # The launch's own threads too: what talks to the other ranks shares the rank's core.
        for thread in Path("/proc/self/task").iterdir():
            os.sched_setaffinity(int(thread.name), {cores[ranks.rank % len(cores)]})
        ways = _ways(ranks, steps)
        seconds: dict[str, list[float]] = defaultdict(list)
        for each in range(rounds + 1):
            for way, measure in ways.items():
                ranks.barrier()
                taken = measure()
                if each:  # the round before the first compiles
                    seconds[way].append(taken)
        told = {way: statistics.median(taken) for way, taken in seconds.items()}
        (answers / f"rank-{ranks.rank}-of-{ranks.size}.json").write_text(json.dumps(told))


def _ways(ranks: GradientCommunicator, steps: int) -> dict[str, Callable[[], float]]:
    from benchmarks.training_step import make_stepper, seconds_a_step, simulate_batch, training_job
    from xpshpc.train.step import configure_tensorflow

    configure_tensorflow(threads=1, local_rank=ranks.local_rank, seed=1)
    inputs, truth = simulate_batch(training_job(NETWORK), ROWS)

    def take(talk: GradientCommunicator, rows: int, compression: str) -> Callable[[], float]:
        job_file = training_job(NETWORK, global_batch=rows * talk.size, compression=compression)
        stepper = make_stepper(job_file, job_file.problem(), inputs, talk)
        batch = inputs[:rows], {name: values[:rows] for name, values in truth.items()}
        return lambda: seconds_a_step(stepper, batch, steps)

    ways = {"apart": take(Solo(), ROWS, "none")}
    if ranks.size > 1:
        ways["together"] = take(ranks, ROWS, "none")
        ways["together, fp16"] = take(ranks, ROWS, "fp16")
        ways["same batch"] = take(ranks, ROWS // ranks.size, "none")
        ways["reduction"], ways["reduction, fp16"] = (_reduce(ranks, inputs, kind, steps) for kind in ("none", "fp16"))
    return ways


def _reduce(ranks: GradientCommunicator, inputs: Any, compression: str, steps: int) -> Callable[[], float]:
    """The reduction by itself, of tensors like the gradients."""
    import tensorflow as tf

    from benchmarks.training_step import make_stepper, training_job
    from xpshpc.train.compression import HalfPrecisionWire

    job_file = training_job(NETWORK)
    weights = make_stepper(job_file, job_file.problem(), inputs, Solo()).network.trainable_variables
    gradients = [tf.random.stateless_normal(weight.shape, (1, 2)) for weight in weights]
    wire = HalfPrecisionWire(ranks, len(gradients)) if compression == "fp16" else None
    reduce = tf.function(ranks.reduce_gradients if wire is None else wire.reduce)

    def measure() -> float:
        began = time.perf_counter()
        for _ in range(steps):
            reduce(gradients)[0].numpy()
        return (time.perf_counter() - began) / steps

    return measure


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
