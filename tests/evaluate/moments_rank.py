"""A rank that merges its share of known rows with those of the others and writes down what it holds then."""

import sys
from pathlib import Path

import numpy as np

from xpshpc.cluster.communicator import open_communicator
from xpshpc.evaluate.moments import Moments, merge_over_ranks


def rows(offset: float) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(101, 5)) * np.geomspace(1e-3, 1, 5) + offset


def share(values: np.ndarray, rank: int, ranks: int) -> np.ndarray:
    """Unequal shares; with three ranks the second one has nothing."""
    cuts = [0, *{1: [], 2: [7], 3: [7, 7]}[ranks], len(values)]
    return values[cuts[rank] : cuts[rank + 1]]


def main(offset: float, folder: Path) -> None:
    with open_communicator() as communicator:
        mine = share(rows(offset), communicator.rank, communicator.size)
        merged = merge_over_ranks(Moments.of(mine, block_rows=10), communicator)
        np.savez(folder / f"{communicator.rank}.npz", n=merged.n, mean=merged.mean, covariance=merged.covariance())


if __name__ == "__main__":
    main(float(sys.argv[1]), Path(sys.argv[2]))
