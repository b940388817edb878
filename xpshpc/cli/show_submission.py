"""What is about to be submitted, and what was, as people read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from xpshpc.cluster.readiness.check import Check
    from xpshpc.cluster.submission.chain import Chain
    from xpshpc.cluster.submission.record import Submission


_TABLE_WIDTH = 110


def show_chain(console: Console, chain: Chain, answer: Mapping[str, Any], *, scripts: bool) -> None:
    """What each job asks for and what all of them may cost; with `scripts`, their text, and the cost once more."""
    _show_cost(console, chain, answer)
    if not scripts:
        console.print("scripts   in slurm/ of the run once they are submitted; --show-scripts shows them now")
        return
    _show_scripts(console, chain)
    _show_cost(console, chain, answer)


def _show_scripts(console: Console, chain: Chain) -> None:
    from rich.panel import Panel
    from rich.text import Text

    for job in chain.jobs:
        title = f"slurm/{job.name}.sbatch"
        if console.is_terminal:
            console.print(Panel(Text(job.text.rstrip()), title=title, title_align="left"))
        else:
            console.print(f"--- {title}\n{job.text}", markup=False)


def _show_cost(console: Console, chain: Chain, answer: Mapping[str, Any]) -> None:
    from rich.table import Table

    from xpshpc.cluster.submission.chain import time_limit

    table = Table(box=None, pad_edge=False)
    table.add_column("stage", no_wrap=True)
    for title in ("jobs", "nodes", "CPUs", "GPUs", "MB a node", "time limit", "CPU-hours", "GPU-hours"):
        table.add_column(title, justify="right")
    for demand in chain.demands:
        numbers = (demand.jobs, demand.nodes, demand.cpus, demand.gpus, demand.memory_mb)
        hours = (f"{demand.cpu_hours:.1f}", f"{demand.gpu_hours:.1f}")
        table.add_row(demand.stage, *map(str, numbers), time_limit(demand), *hours)
    console.width = max(console.width, _TABLE_WIDTH)
    console.print(table)
    if chain.merged:
        console.print(f"note      {chain.merged}", markup=False)
    console.print(f"run       {answer['run']} on {answer['profile']}", markup=False)
    console.print(
        f"at most   {chain.cpu_hours:.1f} CPU-hours and {chain.gpu_hours:.1f} GPU-hours, if no job is started again"
    )


def show_ready(console: Console, checks: Sequence[Check]) -> None:
    """What was tried on the site, and its warnings."""
    from xpshpc.cli.show import show_check

    for check in checks:
        show_check(console, check)


def show_submitted(console: Console, run: Path, submission: Submission) -> None:
    """The jobs' numbers, and how to look after them."""
    for job in submission.jobs:
        behind = f" after {', '.join(job.depends_on)}" if job.depends_on else ""
        console.print(f"submitted {job.stage}: job {job.job_id}{behind}", markup=False)
    console.print(f"          xpshpc status {run} --watch", markup=False)
