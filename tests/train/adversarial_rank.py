"""A rank that trains two networks on its slices of fixed global batches and writes down all that they became."""

import sys
from pathlib import Path

import numpy as np

from xpshpc.cluster.communicator import open_gradient_communicator
from xpshpc.config import Train
from xpshpc.domain import Place
from xpshpc.train.adversarial import AdversarialStepper
from xpshpc.train.step import configure_tensorflow
from xpshpc.wafers.learning.generation import WaferGeneration
from xpshpc.wafers.learning.generation_task import read_generation_task

STEPS, GLOBAL_BATCH, SIZE = 4, 24, 16
PARAMETERS = {"filters": 4, "group": 4, "dropout": 0.2, "group_spread": True}
TASK = {"conditional": True, "latent": 6, "discriminator_steps": 2, "average": 0.5}


def main(folder: Path) -> None:
    problem = WaferGeneration(SIZE, ("Center", "Donut"), read_generation_task(TASK))
    with open_gradient_communicator() as ranks:
        configure_tensorflow(threads=1, local_rank=ranks.local_rank, seed=0)
        # Each rank begins elsewhere: the broadcast has to bring them together.
        rivals = problem.network("dcgan", PARAMETERS, (SIZE, SIZE, 1), seed=ranks.rank)
        stepper = AdversarialStepper(rivals, problem, ranks, Train(global_batch=GLOBAL_BATCH))
        stepper.broadcast()
        share = GLOBAL_BATCH // ranks.size
        first = ranks.rank * share
        told = []
        for step in range(STEPS):
            rows = rows_of(step)
            mine = {name: values[first : first + share] for name, values in rows.items()}
            mine = dict(problem.augment(mine, Place(1, 0, step, first)))
            stop = step == 2 and ranks.rank == ranks.size - 1
            result = stepper.step(problem.features(mine), problem.targets(mine), 1e-3, stop)
            told.append((result.loss, result.norm, result.stop))
        network, optimizer = stepper.variables()
        weights = {f"{index:03d}": values for index, values in enumerate(network + optimizer)}
        np.savez(folder / f"{ranks.size}-{ranks.rank}.npz", told=np.array(told), **weights)


def rows_of(step: int) -> dict[str, np.ndarray]:
    """A global batch."""
    random = np.random.default_rng(step)
    return {
        "map": random.integers(0, 3, (GLOBAL_BATCH, SIZE, SIZE), dtype=np.uint8),
        "label": random.integers(0, 2, GLOBAL_BATCH, dtype=np.uint8),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
