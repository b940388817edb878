"""A rank that sends known arrays through its communicator and writes down what came back."""

import sys
from pathlib import Path

import numpy as np

from xpshpc.cluster import messages
from xpshpc.cluster.communicator import open_communicator


def contribution(rank: int, shape: tuple[int, ...] = (3, 5)) -> np.ndarray:
    """Values that only float64 can tell apart."""
    return 1.0 + np.random.default_rng(rank).standard_normal(shape) * 1e-12


def rows(rank: int) -> np.ndarray:
    """An unequal number of rows for each rank, none for rank 1."""
    return np.random.default_rng(100 + rank).integers(0, 2**40, (2 * rank if rank != 1 else 0, 4))


def main(kind: str, folder: Path) -> None:
    with open_communicator(kind) as ranks:
        mine = contribution(ranks.rank)
        answers = {op: ranks.allreduce(mine, op) for op in ("sum", "min", "max")}
        answers["scalar"] = ranks.allreduce(float(ranks.rank))
        answers["empty"] = ranks.allreduce(np.empty((0, 2)))
        answers["untouched"] = mine
        answers["broadcast"] = ranks.broadcast(
            contribution(7, (2, 2)) if ranks.rank == ranks.size - 1 else None, ranks.size - 1
        )
        answers["identity"] = np.array([ranks.rank, ranks.size, ranks.local_rank])
        for rank, array in enumerate(ranks.gather(rows(ranks.rank))):
            answers[f"gather{rank}"] = array
        for rank, array in enumerate(ranks.gather(np.float32(ranks.rank))):
            answers[f"scalars{rank}"] = array
        told = ranks.broadcast({"é": [1, None, 2.5]} if ranks.rank == 0 else None)
        assert told == {"é": [1, None, 2.5]}
        assert ranks.broadcast([] if ranks.rank == 0 else None) == []
        # Longer than one message may be: the same in pieces.
        messages._LARGEST_MESSAGE = 100
        for rank, array in enumerate(ranks.gather(rows(ranks.rank))):
            np.testing.assert_array_equal(array, rows(rank))
        long = contribution(9, (7, 11))
        np.testing.assert_array_equal(ranks.broadcast(long if ranks.rank == 0 else None), long)
        ranks.barrier()
        np.savez(folder / f"{ranks.rank}.npz", **answers)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
