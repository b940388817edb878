"""The report's tables, made from a run's summary."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from xpshpc.report.incarnations import Incarnation
from xpshpc.report.labels import is_share, split_unit, write_label, write_score, write_singular, write_threshold
from xpshpc.report.quantities import NARROW_SPACE, write_count, write_duration, write_percent, write_value
from xpshpc.report.rivals import FIRST_METRICS, SCORES, are_rivals
from xpshpc.report.run_summary import DataSummary, RunSummary, Stage
from xpshpc.report.timeline import Loss

MOST_INCARNATIONS = 200
_LARGEST = 8
_OPEN_COLUMNS = 6
_NO_GROUPS = ("frechet", "calibration")
"""Metrics that are told elsewhere."""


@dataclass(frozen=True)
class Table:
    """A table; the first column names its rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class GroupTable:
    """Metrics of groups: those that matter first stand open, the others, if any, are unfolded by the reader."""

    title: str
    table: Table
    more: Table | None = None


def tabulate_cost(stages: Sequence[Stage]) -> Table:
    """Clock time, processes and core-hours of each stage."""
    rows = [
        (
            stage.name,
            "–" if stage.wall_s is None else write_duration(stage.wall_s),
            "–" if stage.processes is None else str(stage.processes),
            write_value(stage.core_s / 3600, 3),
        )
        for stage in stages
    ]
    total = sum(stage.core_s for stage in stages)
    rows.append(("together", "", "", write_value(total / 3600, 3)))
    return Table(("Stage", "Time", "Ranks", "Core-hours"), tuple(rows))


def tabulate_quarantine(data: DataSummary) -> Table:
    """The first samples in quarantine with their causes."""
    rows = tuple(
        (write_count(sample.sample, NARROW_SPACE), sample.cause, sample.why) for sample in data.listed_quarantined
    )
    return Table(("Sample", "Cause", "Why"), rows)


def tabulate_losses(losses: Sequence[Loss]) -> Table:
    """What each cause of failure has cost."""
    rows = [
        (
            loss.cause.replace("_", " "),
            write_count(loss.attempts, NARROW_SPACE),
            write_count(loss.shards, NARROW_SPACE),
            write_value(loss.seconds / 3600, 3),
        )
        for loss in losses
    ]
    attempts, seconds = sum(loss.attempts for loss in losses), sum(loss.seconds for loss in losses)
    rows.append(("together", write_count(attempts, NARROW_SPACE), "", write_value(seconds / 3600, 3)))
    return Table(("Cause", "Failed attempts", "Shards", "Core-hours lost"), tuple(rows))


def tabulate_incarnations(incarnations: Sequence[Incarnation]) -> Table:
    """The jobs of the stages, one row each time one began; the last ones if there are very many."""
    rows = tuple(
        (
            told.stage,
            told.job_id,
            str(told.restart),
            told.host,
            _date(told.began),
            "–" if told.began is None or told.ended is None else write_duration(told.ended - told.began),
            told.how or "not told",
            told.why,
        )
        for told in incarnations[-MOST_INCARNATIONS:]
    )
    return Table(("Stage", "Job", "Restart", "Host", "Began (UTC)", "Took", "Ended", "Why"), rows)


def _date(seconds: float | None) -> str:
    return "–" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


def tabulate_scores(summary: RunSummary) -> Table | None:
    """Each metric on the validation samples (watched in training) and on the held-out ones (never seen).

    Two networks that train each other have none on held-out samples, and no loss in common.
    """
    validation = summary.training.validation if summary.training else {}
    if not validation and summary.history:
        validation = summary.history[-1].validation
    if are_rivals(validation):
        first = [name for name in (*FIRST_METRICS, *SCORES) if name in validation]
        others = [name for name in validation if name not in (*first, "loss")]
        told = tuple((write_label(name), _score(name, validation)) for name in (*first, *others))
        return Table(("Metric", "Validation"), told)
    held_out = scalar_metrics(summary.evaluation.metrics) if summary.evaluation else {}
    names = list(dict.fromkeys([*held_out, *validation]))
    if not names:
        return None
    rows = tuple((split_unit(name)[0], _score(name, validation), _score(name, held_out)) for name in names)
    return Table(("Metric", "Validation", "Held-out"), rows)


def _score(name: str, scores: Mapping[str, float]) -> str:
    return write_score(name, scores[name]) if name in scores else "–"


def tabulate_groups(metrics: Mapping[str, Any]) -> Iterator[GroupTable]:
    """Tables of the metrics that are told for groups (elements, classes, thresholds): {group: {metric: number}}.

    The first six metrics of a group stand open. Tables within it ({metric: {threshold: {score: number}}}) follow the
    others, threshold by threshold.
    """
    for key, groups in find_groups(metrics):
        columns = _write_columns(groups)
        if not columns:
            continue
        first = write_singular(write_label(key))
        names = tuple(write_threshold(key, group) for group in groups)
        shown, hidden = columns[:_OPEN_COLUMNS], columns[_OPEN_COLUMNS:]
        more = _join_columns(first, names, hidden) if hidden else None
        yield GroupTable(write_label(key), _join_columns(first, names, shown), more)


def find_groups(metrics: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Mapping[str, Any]]]]:
    """The metrics that are mappings of mappings, or hold one."""
    for key, told in metrics.items():
        if key in _NO_GROUPS or not isinstance(told, Mapping):
            continue
        for groups in (told, *told.values()):
            if isinstance(groups, Mapping) and groups and all(isinstance(group, Mapping) for group in groups.values()):
                yield key, groups
                break


def _write_columns(groups: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """Titles and cells of all the groups' numbers; what is neither a number nor a table of some is left out."""
    columns, inner = [], []
    for name in dict.fromkeys(name for told in groups.values() for name in told):
        values = [told.get(name) for told in groups.values()]
        if all(value is None or isinstance(value, int | float) for value in values):
            columns.append((write_label(name), _write_column(name, values)))
            continue
        told = [value if isinstance(value, Mapping) else {} for value in values]
        for threshold in dict.fromkeys(threshold for value in told for threshold in value):
            within = {str(row): value.get(threshold, {}) for row, value in enumerate(told)}
            title = write_threshold(name, threshold)
            inner += [(f"{label}, {title}", cells) for label, cells in _write_columns(within)]
    return columns + inner


def _join_columns(first: str, names: Sequence[str], columns: Sequence[tuple[str, list[str]]]) -> Table:
    titles, cells = zip(*columns, strict=True)
    return Table((first, *titles), tuple(zip(names, *cells, strict=True)))


def _write_column(name: str, values: Sequence[float | None]) -> list[str]:
    """Numbers with the same decimals: three digits for the largest."""
    known = [value for value in values if value is not None]
    if is_share(name):
        return [write_percent(value, 1) for value in values]
    if all(isinstance(value, int) for value in known):
        return ["–" if value is None else write_count(value, NARROW_SPACE) for value in values]
    largest = max(map(abs, known), default=0.0)
    decimals = max(0, 2 - math.floor(math.log10(largest))) if largest > 0 else 0
    return ["–" if value is None else f"{value:.{decimals}f}".replace("-", "−") for value in values]


def list_largest(values: Mapping[str, float]) -> str:
    """The largest of several values by name, and the sum of the others: "Cu 97.1, O 2.3, 3 others 0.6 together"."""
    if not values:
        return "none"
    ordered = sorted(values.items(), key=lambda item: -item[1])
    written = _write_column("", [*(value for _, value in ordered), sum(value for _, value in ordered[_LARGEST:])])
    told = [f"{name} {number}" for (name, _), number in zip(ordered[:_LARGEST], written, strict=False)]
    if len(ordered) > _LARGEST:
        told.append(f"{len(ordered) - _LARGEST} others {written[-1]} together")
    return ", ".join(told)


def scalar_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The metrics that are single numbers, without the count of samples, and those that stand first in a group."""
    scalars: dict[str, float] = {}
    for name, told in metrics.items():
        if isinstance(told, Mapping) and name not in _NO_GROUPS:
            scalars |= {f"{name}_{inner}": value for inner, value in told.items() if isinstance(value, float)}
        elif isinstance(told, int | float) and not isinstance(told, bool) and name != "samples":
            scalars[name] = told
    return scalars
