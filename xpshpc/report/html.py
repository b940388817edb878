"""report.html: one file that tells a run, opens offline and loads nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from numpy.typing import NDArray

from xpshpc.config import JobFile
from xpshpc.domain import Panel
from xpshpc.evaluate.evaluate import predictions_path
from xpshpc.plan.shards import split_shards
from xpshpc.report import embed, facts, tables
from xpshpc.report.figures import draw_history
from xpshpc.report.measured_scores import MeasuredScores, draw_measured
from xpshpc.report.rivals import are_rivals
from xpshpc.report.run_summary import RunSummary, summarise_run
from xpshpc.report.search_page import compose_search
from xpshpc.report.templates import render_page
from xpshpc.report.timeline import Timeline
from xpshpc.report.timeline_figure import describe_lanes, draw_timeline
from xpshpc.run_directory import RunDirectory, write_atomically
from xpshpc.store.identity import read_identity
from xpshpc.store.read import Store
from xpshpc.train.pictures import read_sheets

EXAMPLE_ROWS = 64
MOST_SHEETS = 6

Arrays = dict[str, NDArray[Any]]


def write_report(
    run: RunDirectory, job_file: JobFile, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Path:
    """Writes the run's report.html and returns its path. Stages that are missing are said to be.

    Raises VerificationError where a record or a stored sample is damaged.
    """
    summary = summarise_run(run, job_file)
    truth, answer = read_predictions(summary.learned)
    metrics = summary.evaluation.metrics if summary.evaluation else {}
    panels = job_file.domain.panels(job_file.settings, read_examples(run, job_file), truth, answer, metrics)
    measured = draw_measured(summary.learned, job_file)
    write_atomically(run.report, render_report(summary, panels, measured, written=now()).encode())
    return run.report


def read_examples(run: RunDirectory, job_file: JobFile) -> Arrays:
    """The first samples of a held-out shard, or of any other if none of these is stored; empty without data."""
    if read_identity(run) is None:
        return {}
    store = Store(run)
    if not store.committed:
        return {}
    held_out = set(split_shards(len(store.plan), job_file.job.split).held_out) if len(store.plan) > 2 else set()
    shard = next((number for number in store.committed if number in held_out), store.committed[0])
    rows = store.read_shard(shard, store.specs)
    return {name: values[:EXAMPLE_ROWS] for name, values in rows.items()}


def read_predictions(run: RunDirectory) -> tuple[Arrays, Arrays]:
    """Truth and answer of held-out samples by name; empty before evaluation."""
    path = predictions_path(run)
    if not path.is_file():
        return {}, {}
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    truth = {name.removeprefix("truth."): values for name, values in arrays.items() if name.startswith("truth.")}
    answer = {name.removeprefix("answer."): values for name, values in arrays.items() if name.startswith("answer.")}
    return truth, answer


def render_report(summary: RunSummary, panels: Sequence[Panel], measured: MeasuredScores, *, written: datetime) -> str:
    """The page's HTML."""
    page = compose_page(summary, panels, measured, version("xpshpc"), written)
    return render_page("xpshpc.report", "report.html.j2", page)


def compose_page(
    summary: RunSummary, panels: Sequence[Panel], measured: MeasuredScores, program: str, written: datetime
) -> Mapping[str, Any]:
    """What the template sets, by name."""
    generate_wall_s = next((stage.wall_s for stage in summary.stages if stage.name == "generate"), None)
    history = embed.place_panels([Panel("", "", draw_history(summary.history))], "h") if summary.history else []
    timeline = embed.place_panels(list(_draw_timeline(summary.timeline)), "t")
    evaluation = summary.evaluation
    frechet = evaluation.metrics.get("frechet") if evaluation else None
    return {
        "name": summary.name,
        "written": written,
        "headlines": facts.make_headlines(summary),
        "job_facts": facts.describe_job(summary, program, written),
        "job_text": tomli_w.dumps(summary.job),
        "cost": tables.tabulate_cost(summary.stages) if summary.stages else None,
        "data_facts": facts.describe_data(summary.data, generate_wall_s) if summary.data else [],
        "quarantine": tables.tabulate_quarantine(summary.data) if summary.data and summary.data.quarantined else None,
        "timeline": timeline[0] if timeline else None,
        "losses": tables.tabulate_losses(summary.timeline.losses)
        if summary.timeline and summary.timeline.losses
        else None,
        "incarnations": tables.tabulate_incarnations(summary.incarnations) if summary.incarnations else None,
        "panels": embed.place_panels(panels, "p"),
        "measured": {"figures": embed.place_panels(measured.panels, "m"), "remark": measured.remark},
        "sheets": [
            embed.place_dots(f"After epoch {sheet.epoch}", sheet.png)
            for sheet in read_sheets(summary.learned, most=MOST_SHEETS)
        ],
        "rivals": bool(summary.history) and are_rivals(summary.history[-1].validation),
        "search": compose_search(summary.search) if summary.search else None,
        "is_best_trial": summary.is_best_trial,
        "history": history[0] if history else None,
        "training_facts": facts.describe_training(summary) if summary.history else [],
        "scores": tables.tabulate_scores(summary),
        "frechet_facts": facts.describe_frechet(frechet) if frechet else [],
        "groups": list(tables.tabulate_groups(evaluation.metrics)) if evaluation else [],
        "analyses": [
            (
                analysis.name,
                facts.describe_analysis(analysis),
                embed.place_foreign(analysis.svg) if analysis.svg else None,
            )
            for analysis in summary.analyses
        ],
    }


def _draw_timeline(timeline: Timeline | None) -> Iterator[Panel]:
    if timeline is not None:
        yield Panel("Workers and faults", describe_lanes(timeline), draw_timeline(timeline))
