"""What is about to be submitted, and what was, as people read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from xpshpc.cluster.chain import Chain
    from xpshpc.cluster.check import Check
    from xpshpc.cluster.submission import Submission


def show_chain(console: Console, chain: Chain, answer: Mapping[str, Any]) -> None:
    """The scripts, then what each job asks for and what all of them may cost."""
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    from xpshpc.cluster.chain import time_limit

    for job in chain.jobs:
        title = f"slurm/{job.name}.sbatch"
        if console.is_terminal:
            console.print(Panel(Text(job.text.rstrip()), title=title, title_align="left"))
        else:
            console.print(f"--- {title}\n{job.text}", markup=False)
    table = Table(box=None, pad_edge=False)
    table.add_column("stage")
    for title in ("jobs", "nodes", "CPUs", "GPUs", "MB a node", "time limit", "CPU-hours", "GPU-hours"):
        table.add_column(title, justify="right")
    for demand in chain.demands:
        numbers = (demand.jobs, demand.nodes, demand.cpus, demand.gpus, demand.memory_mb)
        hours = (f"{demand.cpu_hours:.1f}", f"{demand.gpu_hours:.1f}")
        table.add_row(demand.stage, *map(str, numbers), time_limit(demand), *hours)
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
