"""What a rank does to prove that it reaches the others: `python -m xpshpc.cluster.ranks.handshake horovod|mpi`."""

from __future__ import annotations

import json
import sys
from typing import Literal

import numpy as np

from xpshpc.cluster.communicator import open_communicator
from xpshpc.errors import EnvironmentFault

VALUES = 1000


def shake_hands(kind: Literal["horovod", "mpi"]) -> None:
    """Sums and gathers over all ranks, and writes how many there were.

    Raises EnvironmentFault if a sum is not exact: each rank gives thirds of whole numbers, which float32 would round.
    """
    with open_communicator(kind) as communicator:
        ranks = communicator.size
        mine = (np.arange(VALUES) + communicator.rank) / 3
        expected = sum((np.arange(VALUES) + rank) / 3 for rank in range(ranks))
        error = float(np.abs(communicator.allreduce(mine) - expected).max())
        order = [int(each[0]) for each in communicator.gather(np.array([communicator.rank]))]
    if error > 1e-9 or order != list(range(ranks)):
        raise EnvironmentFault(
            f"{ranks} ranks summed to {error:g} beside the truth, gathered in the order {order}",
            where=f"allreduce by {kind}",
            try_="cluster/setup.sh",
        )
    sys.stdout.write(json.dumps({"ranks": ranks, "rank": communicator.rank}) + "\n")


if __name__ == "__main__":
    shake_hands("mpi" if sys.argv[1] == "mpi" else "horovod")
