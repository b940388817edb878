"""A rank that takes a few steps on its slices of fixed global batches and writes down its weights."""

import sys
from pathlib import Path

import numpy as np

from xpshpc.cluster.communicator import open_gradient_communicator
from xpshpc.config import Train
from xpshpc.spectra.learning.problem import XpsProblem
from xpshpc.train.step import Stepper, configure_tensorflow

STEPS, GLOBAL_BATCH, CHANNELS = 4, 12, 64
PARAMETERS = {"filters_1": 4, "kernel_1": 9, "filters_2": 4, "kernel_2": 5, "features": 16}
EXPERIMENTS = {
    "plain": Train(global_batch=GLOBAL_BATCH),
    "clipped": Train(global_batch=GLOBAL_BATCH, gradient_clip=0.05),
    "in_parts": Train(global_batch=GLOBAL_BATCH, accumulate=2),
    # Where a step is proportional to its gradient, so that half precision shows as what it is.
    "half": Train(global_batch=GLOBAL_BATCH, optimizer="sgd", compression="fp16"),
}


def main(folder: Path) -> None:
    problem = XpsProblem(np.arange(CHANNELS) + 400.0, ("C", "O", "Cu"), 1486.6, 10.0)
    with open_gradient_communicator() as ranks:
        configure_tensorflow(threads=1, local_rank=ranks.local_rank, seed=0)
        for name, train in EXPERIMENTS.items():
            # Each rank begins elsewhere: the broadcast has to bring them together.
            network = problem.network("vanilla_cnn", PARAMETERS, (CHANNELS,), seed=ranks.rank)
            stepper = Stepper(network, problem, ranks, train)
            stepper.broadcast()
            told = take_steps(stepper, ranks.rank, ranks.size)
            variables = stepper.variables()
            weights = {f"{index:03d}": values for index, values in enumerate(variables[0] + variables[1])}
            np.savez(folder / f"{name}-{ranks.size}-{ranks.rank}.npz", told=told, **weights)


def take_steps(stepper: Stepper, rank: int, size: int) -> np.ndarray:
    """Loss, gradient norm and stop flag of each step; the last rank asks to stop in the third one."""
    random = np.random.default_rng(0)
    share = GLOBAL_BATCH // size
    mine = slice(rank * share, (rank + 1) * share)
    told = []
    for step in range(STEPS):
        inputs = random.random((GLOBAL_BATCH, CHANNELS), np.float32)
        truth = {
            "composition": random.dirichlet(np.ones(3), GLOBAL_BATCH).astype(np.float32),
            "overlayer_thickness": random.uniform(0, 40, GLOBAL_BATCH).astype(np.float32),
        }
        stop = step == 2 and rank == size - 1
        result = stepper.step(inputs[mine], {name: rows[mine] for name, rows in truth.items()}, 1e-2, stop)
        told.append((result.loss, result.norm, result.stop))
    return np.array(told)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
