"""How far a trained network's answers may be trusted, counted once on the validation shards by all ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.cluster.communicator import Communicator
from xpshpc.cluster.merge import add_sums, merge_sums
from xpshpc.domain import Problem
from xpshpc.train.batches import ShardReader
from xpshpc.train.validation import Answerer, answer_shards


def calibrate_on_validation(
    network: Answerer,
    problem: Problem,
    reader: ShardReader,
    shards: Sequence[int],
    ranks: Communicator,
    *,
    batch: int,
) -> dict[str, Any]:
    """The problem's calibration (JSON) of a network, the same on every rank and for any number of them.

    Every rank must hold the same weights. Empty for a network that does not tell its own errors. At least one
    validation sample must be valid, as for any validation.
    """
    sums: dict[str, NDArray[np.float64]] | None = None
    for truth, answer, _ in answer_shards(network, problem, reader, shards, ranks, batch=batch):
        sums = add_sums(sums, problem.calibration_sums(truth, answer))
    return problem.calibrate(merge_sums(sums, ranks))
