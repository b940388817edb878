"""A process that launches ranks on SLURM's nodes: `gang_on_nodes MEETING-PLACE BEHAVIOUR LAUNCHER [RANKS [WHO]]`.

Ends with the exit code of what it raises, which it leaves in MEETING-PLACE/error.
"""

from __future__ import annotations

import sys
from pathlib import Path

from xpshpc.cluster.ranks.gang import run_gang
from xpshpc.cluster.ranks.step import Step
from xpshpc.errors import XpshpcError

RANKS_OF_TESTS = Path(__file__).parents[1] / "cluster"


def step_for(ranks: int, **words: object) -> Step:
    """Two nodes of the test cluster."""
    usual = {"cpus_per_rank": 1, "memory_per_rank_mb": 900, "interface": "lo", "time": "00:10:00", "patience_s": 30.0}
    return Step(2, -(-ranks // 2), **{**usual, **words})


def main(folder: Path, behaviour: str, launcher: str, ranks: int = 2, who: int = 0) -> None:
    """Launches ranks that behave as in the tests of a gang on one host."""
    run_gang(
        "gang_rank",
        [str(folder), behaviour, str(who)],
        ranks=ranks,
        launcher=launcher,
        step=step_for(ranks),
        log_directory=folder / "logs",
        environment={"PYTHONPATH": str(RANKS_OF_TESTS)},
        drain_s=20.0,
    )


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), *sys.argv[2:4], *map(int, sys.argv[4:]))
    except XpshpcError as error:
        (Path(sys.argv[1]) / "error").write_text(f"{type(error).__name__}: {error}")
        sys.exit(int(error.exit_code))
