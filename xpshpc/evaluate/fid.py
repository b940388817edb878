"""The Fréchet distance of two feature files, on one process or shared by the ranks of a gang."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xpshpc.cluster.communicator import Communicator, Solo, open_communicator
from xpshpc.errors import UsageError
from xpshpc.evaluate.features_file import read_features
from xpshpc.evaluate.frechet import frechet_distance
from xpshpc.evaluate.pool import pool, pool_marked
from xpshpc.run_directory import write_atomically

if TYPE_CHECKING:
    from xpshpc.cluster.profile import Launcher
    from xpshpc.cluster.ranks.step import Step

SMALLEST_HALF = 2


@dataclass(frozen=True)
class Fid:
    """A Fréchet distance with what is needed to judge it.

    `split_half_baseline` is the distance between two random halves of A, with `split_half_n` samples: a distance
    between A and B below it cannot be told from none. Both are None where A is too small to be halved.
    """

    fid: float
    n_a: int
    n_b: int
    dimensions: int
    extractor: str
    method: str
    ranks: int
    mean_term: float
    trace_term: float
    split_half_baseline: float | None
    split_half_n: list[int] | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def fid(
    a: Path,
    b: Path,
    *,
    ranks: int = 1,
    launcher: Launcher = "gloo",
    step: Step | None = None,
    scratch: Path | None = None,
) -> Fid:
    """The Fréchet distance between two .npz files with one array `features` each.

    With more than one rank the rows are shared out and their moments merged; the value is the same to rounding. Ranks
    leave their answer in a temporary folder within `scratch`, which the nodes of a `step` have to share. Raises
    UsageError, before any rank starts, for files that cannot be compared.
    """
    columns_a, columns_b = (read_features(path).shape[1] for path in (a, b))
    if columns_a != columns_b:
        raise UsageError(
            f"{columns_a} features in {a.name}, {columns_b} in {b.name}",
            where=f"{a}, {b}",
            try_="compare features of one and the same extractor",
        )
    if ranks == 1:
        return fid_on_rank(a, b, Solo())
    from xpshpc.cluster.ranks.gang import run_gang

    with tempfile.TemporaryDirectory(prefix="xpshpc-fid-", dir=scratch) as meeting:
        answer = Path(meeting) / "fid.json"
        run_gang(
            "xpshpc.evaluate.fid",
            [str(a.resolve()), str(b.resolve()), str(answer)],
            ranks=ranks,
            launcher=launcher,
            step=step,
            log_directory=Path(meeting),
        )
        return Fid(**json.loads(answer.read_text()))


def fid_on_rank(a: Path, b: Path, communicator: Communicator) -> Fid:
    """One rank's part of `fid`; every rank returns the same answer. A's halves are drawn with a fixed seed."""
    rows_a, rows_b = read_features(a), read_features(b)
    in_first = np.zeros(len(rows_a), dtype=bool)
    in_first[np.random.default_rng(0).permutation(len(rows_a))[: len(rows_a) // 2]] = True
    mine_a, mine_b = (
        np.array_split(np.arange(len(rows)), communicator.size)[communicator.rank] for rows in (rows_a, rows_b)
    )
    parts = pool_marked(rows_a[mine_a], in_first[mine_a], communicator)
    distance = frechet_distance(parts.whole, pool(rows_b[mine_b], communicator))
    between = frechet_distance(parts.chosen, parts.others) if len(rows_a) >= 2 * SMALLEST_HALF else None
    return Fid(
        fid=distance.value,
        n_a=distance.n_a,
        n_b=distance.n_b,
        dimensions=distance.dimensions,
        extractor="as given",
        method=distance.method,
        ranks=communicator.size,
        mean_term=distance.mean_term,
        trace_term=distance.trace_term,
        split_half_baseline=between.value if between else None,
        split_half_n=[between.n_a, between.n_b] if between else None,
    )


def main(arguments: list[str]) -> None:
    """A rank of the gang: A B ANSWER; the first rank writes the answer as JSON."""
    a, b, answer = (Path(argument) for argument in arguments)
    with open_communicator() as communicator:
        result = fid_on_rank(a, b, communicator)
        if communicator.rank == 0:
            write_atomically(answer, json.dumps(result.as_json()).encode())


if __name__ == "__main__":
    main(sys.argv[1:])
