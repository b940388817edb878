"""One rank of a training: `python -m xpshpc.train RUN [UNTIL_EPOCH]`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType

from xpshpc.cluster.communicator import open_gradient_communicator
from xpshpc.cluster.ranks.elastic_member import Membership
from xpshpc.run_directory import open_run
from xpshpc.train.elastic import train_elastically
from xpshpc.train.rank import train_on_rank
from xpshpc.train.step import configure_tensorflow


def main(run_path: Path, until_epoch: int | None = None) -> None:
    """Trains together with the other ranks. SIGTERM asks all of them to stop after the step that is under way."""
    asked_to_stop = False

    def ask(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked_to_stop
        asked_to_stop = True

    signal.signal(signal.SIGTERM, ask)
    run, job_file = open_run(run_path)

    def configure(local_rank: int) -> None:
        configure_tensorflow(
            threads=int(os.environ.get("TF_NUM_INTRAOP_THREADS", "0")),
            local_rank=local_rank,
            seed=job_file.job.training_seed,
            precision=job_file.job.train.precision,
        )

    if "XPSHPC_ROSTER" in os.environ:
        membership = Membership()
        configure(membership.local_rank)
        train_elastically(run, job_file, membership, should_stop=lambda: asked_to_stop, until_epoch=until_epoch)
        return
    with open_gradient_communicator() as ranks:
        configure(ranks.local_rank)
        train_on_rank(run, job_file, ranks, should_stop=lambda: asked_to_stop, until_epoch=until_epoch)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
