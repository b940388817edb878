"""What the report says in words: its large numbers, and facts as pairs of a name and a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from xpshpc.report.labels import split_unit, write_label, write_score
from xpshpc.report.quantities import (
    NARROW_SPACE,
    write_count,
    write_duration,
    write_percent,
    write_rate,
    write_size,
    write_value,
)
from xpshpc.report.rivals import are_rivals
from xpshpc.report.run_summary import Analysis, DataSummary, RunSummary
from xpshpc.report.tables import list_largest, scalar_metrics
from xpshpc.train.rivalry import tell_warnings

Facts = list[tuple[str, str]]

_HEADLINES = 3


@dataclass(frozen=True)
class Headline:
    """A number that stands large at the top."""

    label: str
    value: str
    note: str = ""


def make_headlines(summary: RunSummary) -> list[Headline]:
    """The few numbers that a reader wants first."""
    found = []
    if summary.evaluation is not None:
        scalars = scalar_metrics(summary.evaluation.metrics)
        found = [Headline(split_unit(key)[0], write_score(key, scalars[key], 3)) for key in list(scalars)[:_HEADLINES]]
        frechet = summary.evaluation.metrics.get("frechet")
        if frechet:
            found.append(Headline("Fréchet distance", write_value(frechet["value"]), "held-out against training"))
    last = summary.history[-1].validation if summary.history else {}
    if are_rivals(last) and "diversity" in last:
        found.append(Headline("Diversity", write_value(last["diversity"]), "1: as diverse as real samples"))
    if summary.data is not None:
        note = f"of {_count(summary.data.planned)} planned" if summary.data.pending else "stored"
        found.append(Headline("Samples", _count(summary.data.committed), note))
    core_s = sum(stage.core_s for stage in summary.stages)
    if core_s:
        found.append(Headline("Cost", _narrow(write_duration(core_s)), "of one core, all stages"))
    return found


def describe_job(summary: RunSummary, version: str, written: datetime) -> Facts:
    """What ran: names, hashes, versions, hosts and dates, as pairs."""
    facts = [
        ("Job", summary.job["name"]),
        ("Seed", str(summary.job["seed"])),
        ("Data hash", summary.data_hash),
    ]
    data = summary.data
    if data is not None:
        facts.append(("Made on", ", ".join(f"{host} ({_plural(n, 'shard')})" for host, n in data.hosts.items()) or "–"))
        if data.begun is not None and data.finished is not None:
            facts.append(("Made between", f"{_date(data.begun)} and {_date(data.finished)} UTC"))
        facts.append(("Versions", ", ".join(f"{name} {number}" for name, number in sorted(data.versions.items()))))
    facts.append(("Report", f"xpshpc {version}, {written.astimezone(UTC):%Y-%m-%d %H:%M} UTC"))
    return facts


def describe_data(data: DataSummary, generate_wall_s: float | None) -> Facts:
    """The data set in pairs: counts, faults, size and speed."""
    shards = f"{_count(data.shards)} of {_count(data.shards_planned)}"
    failures = ", ".join(f"{cause.replace('_', ' ')} {n}" for cause, n in data.failures.items())
    facts = [
        ("Planned", _plural(data.planned, "sample")),
        ("Stored", f"{_plural(data.committed, 'sample')} in {shards} shards"),
        ("In quarantine", _plural(data.quarantined, "sample")),
        ("Still to make", _plural(data.pending, "sample")),
        ("Failed attempts", f"{sum(data.failures.values())}: {failures}" if failures else "none"),
        ("Size", _size_of(data)),
    ]
    speeds = [(data.core_s, "on one core"), (generate_wall_s or 0.0, "in all")]
    told = [f"{_narrow(write_rate(data.committed / spent))} samples/s {where}" for spent, where in speeds if spent > 0]
    if told:
        facts.append(("Speed", ", ".join(told)))
    return facts


def _size_of(data: DataSummary) -> str:
    each = f", {write_size(data.bytes / data.committed)} a sample" if data.committed else ""
    return f"{write_size(data.bytes)}{each}"


def describe_training(summary: RunSummary) -> Facts:
    """The training in pairs: how it ended, how fast it was, and what it was warned of."""
    train = summary.train
    facts = [("Network", train.network), ("Global batch", _plural(train.global_batch, "sample"))]
    warnings = [("Warning", warning) for warning in tell_warnings(summary.history)]
    result = summary.training
    if result is None:
        facts.append(("State", f"not finished: {len(summary.history)} of {train.epochs} epochs"))
        return facts + warnings
    kept = "the last one kept" if are_rivals(result.validation) else f"the best one {result.best_epoch}"
    facts += [
        ("Ranks", str(result.ranks)),
        ("Epochs", f"{result.epochs}, {kept}"),
        ("Time", write_duration(result.seconds)),
        ("Speed", f"{_narrow(write_rate(result.spectra_per_s))} samples/s"),
        ("Waiting for data", write_percent(result.data_wait_share, 1)),
    ]
    return facts + warnings


def describe_frechet(frechet: Mapping[str, Any]) -> Facts:
    """The Fréchet distance with what is needed to judge it."""
    facts = [
        ("Value", write_value(frechet["value"], 4)),
        ("Training samples", _count(frechet["n_a"])),
        ("Held-out samples", _count(frechet["n_b"])),
        ("Features", f"{_count(frechet['dimensions'])} of the layer “{frechet['layer']}”"),
        ("Means, covariances", f"{write_value(frechet['mean_term'])} + {write_value(frechet['trace_term'])}"),
        ("Method", str(frechet["method"])),
    ]
    for key, name in (
        ("same_size", "Between as many training samples"),
        ("split_half", "Between two halves of them"),
    ):
        value, sizes = frechet.get(f"{key}_baseline"), frechet.get(f"{key}_n")
        if value is not None and sizes:
            told = f"{write_value(value, 4)} ({_count(sizes[0])} against {_count(sizes[1])} samples)"
            facts.insert(-5, (name, told))
    return facts


def describe_analysis(analysis: Analysis) -> Facts:
    """What the network says of one measured file, in pairs."""
    facts = [("File", analysis.file)]
    for key, value in analysis.answers.items():
        if isinstance(value, Mapping):
            facts.append((write_label(key), list_largest(value)))
        else:
            facts.append((write_label(key), write_value(value)))
    return [*facts, *(("Remark", remark) for remark in analysis.remarks)]


def _count(value: float) -> str:
    return write_count(value, NARROW_SPACE)


def _narrow(text: str) -> str:
    return text.replace(" ", NARROW_SPACE)


def _plural(number: int, unit: str) -> str:
    return f"{_count(number)} {unit}" if number == 1 else f"{_count(number)} {unit}s"


def _date(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
