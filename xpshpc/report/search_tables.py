"""The tables of a search, for the page and the terminal alike, made from its JSON answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xpshpc.report.labels import is_share, split_unit, write_label
from xpshpc.report.parameters import title_keys, write_parameter
from xpshpc.report.quantities import write_duration, write_percent, write_value
from xpshpc.report.tables import Table

MOST_POINTS = 300
MOST_FAILURES = 50

Point = Mapping[str, Any]
"""A point of the leaderboard as the search's answer has it."""


def tabulate_points(metric: str, board: Sequence[Point], epochs: Mapping[str, int] | None = None) -> Table:
    """The points in order of merit: their names or parameters, what they reached, and what others published.

    `epochs` by trial, where they are known, tell how long each point's best training was.
    """
    keys = parameters_of(board)
    rivals = [name for name in _published(board) if name != metric]
    others = [name for name in board[0]["validation"] if name not in (metric, *rivals)]
    scores = [column for name in (metric, *rivals) for column in _score_columns(name, board, is_first=name == metric)]
    columns = [
        *([("Point", [point["name"] for point in board])] if any(point["name"] for point in board) else []),
        *(
            (title, [_write_own(point, key) for point in board])
            for key, title in zip(keys, title_keys(keys), strict=True)
        ),
        *scores,
        *((write_label(name), [write_mean(name, point["validation"].get(name)) for point in board]) for name in others),
        *([("Epochs", [_write_epochs(point, epochs) for point in board])] if epochs else []),
        ("Trials", [_write_repeats(point) for point in board]),
        ("A trial", [write_duration(point["seconds"]) for point in board]),
        ("Core-hours", [write_value(point["core_hours"], 3) for point in board]),
    ]
    columns = [("", [str(place) for place in range(1, len(board) + 1)]), *columns]
    titles, cells = zip(*columns, strict=True)
    return Table(titles, tuple(zip(*cells, strict=True)))


def list_sources(board: Sequence[Point]) -> list[str]:
    """Where the published values are from, each source once."""
    return list(dict.fromkeys(point["source"] for point in board if point["published"] and point["source"]))


def tabulate_failures(failures: Sequence[Mapping[str, Any]]) -> Table:
    """The trials that met a fault, the first fifty: what became of them, the cause and the words of the last one."""
    rows = tuple(
        (
            failure["id"],
            failure["name"] or describe(failure),
            failure["state"],
            str(failure["cause"]),
            failure["why"],
        )
        for failure in failures[:MOST_FAILURES]
    )
    return Table(("Trial", "Settings", "State", "Cause", "Why"), rows)


def parameters_of(told: Sequence[Mapping[str, Any]]) -> list[str]:
    """All parameters of these trials or points, in the order in which they come up."""
    return list(dict.fromkeys(key for each in told for key in each["parameters"]))


def describe(trial: Mapping[str, Any]) -> str:
    """A trial's parameters in one line."""
    return ", ".join(f"{key} {write_parameter(value)}" for key, value in trial["parameters"].items())


def write_mean(metric: str, mean: float | None, spread: float | None = None) -> str:
    """A mean of a metric, with the spread behind it where there is one."""
    if is_share(metric):
        text, wide = write_percent(mean), write_percent(spread)
    else:
        text, wide = f"{write_value(mean, 4)} {split_unit(metric)[1]}".rstrip(), write_value(spread, 2)
    return text if spread is None else f"{text} ± {wide}"


def _published(board: Sequence[Point]) -> list[str]:
    """The metrics of which somebody published a value."""
    return list(dict.fromkeys(name for point in board for name in point["published"]))


def _score_columns(name: str, board: Sequence[Point], *, is_first: bool) -> list[tuple[str, list[str]]]:
    label = write_label(name)
    columns = [(label, [write_mean(name, point["validation"].get(name)) for point in board])]
    if is_first:
        columns = [(label, [write_mean(name, point["mean"], point["spread"]) for point in board])]
        if any(point["interval"] is not None for point in board):
            columns.append(("95 % interval", [_write_interval(name, point["interval"]) for point in board]))
    for title, told in (("held out", "held_out"), ("published", "published")):
        if any(name in point[told] for point in board):
            cells = [write_mean(name, point[told][name]) if name in point[told] else "" for point in board]
            columns.append((f"{label}, {title}", cells))
    return columns


def _write_own(point: Point, key: str) -> str:
    """A parameter; a point that does not name it has it as the job says."""
    return write_parameter(point["parameters"][key]) if key in point["parameters"] else ""


def _write_interval(metric: str, interval: float | None) -> str:
    """The half width of a mean's confidence interval."""
    return "" if interval is None else f"± {write_mean(metric, interval)}"


def _write_epochs(point: Point, epochs: Mapping[str, int]) -> str:
    known = epochs.get(point["trials"][0]["id"])
    return str(known) if known else "–"


def _write_repeats(point: Point) -> str:
    return f"{point['repeats']}, {point['failed']} failed" if point["failed"] else str(point["repeats"])
