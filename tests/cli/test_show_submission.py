"""What people read before they say yes: the cost first; the scripts, which are long, only when asked for."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

from xpshpc.cli.show_submission import show_chain
from xpshpc.cluster.profile import read_profile
from xpshpc.cluster.submission.chain import USUAL, Wish, plan_chain
from xpshpc.run_directory import RunDirectory


@pytest.mark.parametrize("scripts", [False, True])
def test_the_cost_is_the_first_and_the_last_thing_told(tmp_path: Path, scripts: bool) -> None:
    run = RunDirectory(tmp_path / "run")
    wish = Wish(run, read_profile("minislurm"), "minislurm", sys.executable, USUAL, workers=2, ranks=2)
    said = io.StringIO()
    answer = {"run": str(run.path), "profile": "minislurm"}
    show_chain(Console(file=said), plan_chain(wish, None), answer, scripts=scripts)
    lines = said.getvalue().splitlines()
    assert lines[0].split()[0] == "stage"
    assert sum(line.startswith("at most") for line in lines[-2:]) == 1
    assert ("#SBATCH" in said.getvalue()) is scripts
    assert len([line for line in lines if line.startswith("generate workers")]) == 1 + scripts
