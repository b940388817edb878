"""Two ranks on a core each against one rank on one core, and what their talking costs. Steps alone, no loader."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from benchmarks.ranks_program import NETWORK, ROWS
from benchmarks.table import Row
from xpshpc.cluster.machine import usable_cores
from xpshpc.cluster.profile import Launcher
from xpshpc.cluster.ranks.gang import run_gang

RANKS = 2
STEPS, ROUNDS = 10, 5


def run(scale: float) -> list[Row]:
    """Rows of this benchmark, by each launcher there is; `scale` 1 takes five rounds of ten steps of each kind."""
    if usable_cores() < RANKS:
        return [Row("cores, too few for two ranks", usable_cores(), "", f"≥ {RANKS}")]
    launchers: tuple[Launcher, ...] = ("gloo", "mpirun") if shutil.which("mpirun") else ("gloo",)
    steps, rounds = max(2, round(STEPS * scale)), max(1, round(ROUNDS * scale))
    return [row for launcher in launchers for row in _compare(launcher, steps, rounds)]


def _compare(launcher: Launcher, steps: int, rounds: int) -> list[Row]:
    # One rank before the two and after them: a machine that grows slower meanwhile is no merit of one or two ranks.
    before, pair, after = (_measure(launcher, size, steps, rounds) for size in (1, RANKS, 1))
    alone = (before["apart"] + after["apart"]) / 2
    return [
        Row(f"{NETWORK}, one rank on one core, {ROWS} spectra a step", ROWS / alone, "spectra/s"),
        *(
            Row(f"two ranks by {launcher}, {ROWS} each a step, against two alone{note}", alone / pair[way], "×", aim)
            for way, note, aim in (
                ("together", "", "≥ 0.9"),
                ("together, fp16", ", fp16", "≥ 0.9"),
                ("apart", " (silent: these cores' limit)", ""),
            )
        ),
        Row(f"  the same batch of {ROWS} shared by both", alone / RANKS / pair["same batch"], "×"),
        Row("  allreduce by itself, same tensors", 1e3 * pair["reduction"], "ms"),
        Row("    share of a step", pair["reduction"] / pair["together"], ""),
        Row("    with fp16, there and back", 1e3 * pair["reduction, fp16"], "ms"),
        Row("    share of a step with fp16", pair["reduction, fp16"] / pair["together, fp16"], ""),
    ]


def _measure(launcher: Launcher, size: int, steps: int, rounds: int) -> dict[str, float]:
    """Seconds a step of the slowest rank, by the way it is taken."""
    with tempfile.TemporaryDirectory() as folder:
        answers = Path(folder)
        arguments = [folder, str(steps), str(rounds)]
        run_gang(
            "benchmarks.ranks_program",
            arguments,
            ranks=size,
            launcher=launcher,
            log_directory=answers / "logs",
            environment={"PYTHONPATH": str(Path(__file__).parent.parent)},
        )
        told = [json.loads((answers / f"rank-{rank}-of-{size}.json").read_text()) for rank in range(size)]
    return {way: max(each[way] for each in told) for way in told[0]}
