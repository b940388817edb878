"""Feature rows of all ranks brought together: as rows where they are few, as moments where they are many."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xpshpc.cluster.communicator import Communicator
from xpshpc.evaluate.frechet import Sample
from xpshpc.evaluate.moments import Moments, merge_over_ranks


class Parts(NamedTuple):
    """One set and two parts of it, whose distance tells what a distance from another set is worth."""

    whole: Sample
    chosen: Sample
    others: Sample


def pool(rows: NDArray[Any], communicator: Communicator) -> Sample:
    """The rows of all ranks, in rank order, if they are no more than their dimensions; otherwise their moments.

    `rows` is (n, d) with the same d on every rank; a rank may have none. The choice depends on the total only, so any
    number of ranks finds the same distance by the same method.
    """
    total = int(communicator.allreduce(float(len(rows)), "sum"))
    if total <= rows.shape[1]:
        return np.concatenate(communicator.gather(rows))
    return merge_over_ranks(Moments.of(rows), communicator)


def pool_marked(rows: NDArray[Any], marked: NDArray[np.bool_], communicator: Communicator) -> Parts:
    """`pool` of the rows, of the marked ones, and of the others."""
    chosen = pool(rows[marked], communicator)
    others = pool(rows[~marked], communicator)
    if isinstance(chosen, Moments) and isinstance(others, Moments):
        return Parts(chosen.merge(others), chosen, others)
    return Parts(pool(rows, communicator), chosen, others)


def pool_parts(rows: NDArray[Any], size: int, communicator: Communicator) -> Parts:
    """`pool` of all ranks' rows, of `size` evenly spread ones, and of the others; the same ones for any ranks."""
    counts = np.concatenate(communicator.gather(np.array([len(rows)])))
    before, total = int(counts[: communicator.rank].sum()), int(counts.sum())
    return pool_marked(rows, mark_evenly(total, size)[before : before + len(rows)], communicator)


def mark_evenly(total: int, size: int) -> NDArray[np.bool_]:
    """Marks `size` of `total` places, evenly spread."""
    steps = np.arange(total + 1, dtype=np.int64) * size // max(total, 1)
    return np.diff(steps) > 0
