"""A run's status as people read it, once or as it changes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from xpshpc.report.quantities import write_count, write_duration, write_rate, write_size, write_value

if TYPE_CHECKING:
    from rich.console import Console

    from xpshpc.report.queue import QueuedJob
    from xpshpc.report.status import Status

_ANSWERED = "answered"
_WORKERS = "workers"
_UNFINISHED = ("running", "paused", "stopped", "failed", "pending")
_MOST_UNDER_WAY = 8
_NAMES = {"spectra_per_s": "samples/s"}
"""Of facts that are not called as their keys, which are older than the second science."""

Look = tuple[Sequence[str], bool]
"""Lines of a status, and whether nothing is left to happen."""

_COLUMNS = ("stage", "job", "state", "reason", "node", "used", "left")


def show_status(console: Console, status: Status) -> None:
    """State of a run, one fact a line."""
    for line in describe_status(status):
        console.print(line, markup=False)


def watch_status(
    console: Console,
    read: Callable[[], Status],
    interval_s: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.time,
) -> None:
    """Shows a status again and again until nothing is left to happen, or until Ctrl-C."""

    def look() -> Look:
        status = read()
        return tuple(describe_status(status)), status.complete

    watch_lines(console, look, interval_s, sleep=sleep, clock=clock)


def watch_lines(
    console: Console,
    look: Callable[[], Look],
    interval_s: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.time,
) -> None:
    """Looks again and again until a look was the last, or until Ctrl-C.

    On a terminal the lines are drawn in place; in a log each look is a block of lines under its time.
    """
    try:
        if console.is_terminal:
            _watch_live(console, look, interval_s, sleep)
        else:
            _watch_log(console, look, interval_s, sleep, clock)
    except KeyboardInterrupt:
        return


def _watch_live(console: Console, look: Callable[[], Look], interval_s: float, sleep: Callable[[float], None]) -> None:
    from rich.live import Live
    from rich.text import Text

    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            lines, is_last = look()
            live.update(Text("\n".join(lines)), refresh=True)
            if is_last:
                return
            sleep(interval_s)


def _watch_log(
    console: Console,
    look: Callable[[], Look],
    interval_s: float,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> None:
    while True:
        lines, is_last = look()
        console.print(f"--- {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(clock()))}", markup=False)
        for line in lines:
            console.print(line, markup=False)
        if is_last:
            return
        sleep(interval_s)


def describe_status(status: Status) -> Iterator[str]:
    """The lines of a status."""
    owners = ", ".join(dict.fromkeys(status.busy.values())) or status.owner
    state = f"{status.stage or 'not begun'}, {_describe_work(status)}"
    yield f"run       {status.run}: {state}{f', {owners}' if owners else ''}"
    left_out = f", {write_count(status.quarantined)} in quarantine" if status.quarantined else ""
    yield (
        f"data      {write_count(status.committed)} of {write_count(status.planned)} samples{left_out}, "
        f"{write_count(status.pending)} to do"
    )
    yield (
        f"shards    {write_count(status.shards_committed)} of {write_count(status.shards)} committed, "
        f"{write_count(status.shards_running)} running, {write_count(status.shards_pending)} waiting; "
        f"{write_count(status.failed_attempts)} failed attempts"
    )
    if status.records_read < status.shards_committed:
        yield (
            f"estimate  quarantine, cost and size are from {write_count(status.records_read)} of "
            f"{write_count(status.shards_committed)} records; the next look reads on"
        )
    if status.working:
        yield f"workers   {write_count(status.workers)} connected"
    if status.rate is not None:
        left = f", {write_duration(status.time_left_s)} left" if status.time_left_s is not None else ""
        yield f"rate      {write_rate(status.rate)} samples/s{left}"
    cost = _hours(status.core_hours, "core-hours", status.core_hours_to_come)
    yield f"cost      {cost}; {write_size(status.bytes)}"
    if status.gpu_hours is not None:
        yield f"          {_hours(status.gpu_hours, 'GPU-hours of training', status.gpu_hours_to_come)}"
    for title, facts in (("training", status.training), ("held out", status.evaluation)):
        if facts:
            told = ", ".join(
                f"{_NAMES.get(name, name)} {_short(value)}" for name, value in facts.items() if _is_short(value)
            )
            yield f"{title:<9} {told}"
    if status.search is not None:
        yield from _describe_search(status.search)
    yield from _describe_jobs(status)
    for error in status.errors:
        yield f"error     {error}"


def _describe_work(status: Status) -> str:
    if status.working or status.busy:
        return "working"
    return "complete" if status.complete else "nobody at work"


def _describe_search(search: Mapping[str, Any]) -> Iterator[str]:
    states = "".join(f", {write_count(search[state])} {state}" for state in _UNFINISHED if search[state])
    left = f", {write_duration(search['time_left_s'])} left" if search["time_left_s"] else ""
    done = f"{write_count(search['finished'])} of {write_count(search['trials'])} trials finished"
    yield f"search    {done}{states}{left}"
    best = search["best"]
    if best:
        what = best["name"] or ", ".join(
            f"{key.rpartition('.')[2]} {value}" for key, value in best["parameters"].items()
        )
        yield f"best      {search['metric']} {write_value(best['value'], 4)} ({what})"
    for trial in search["under_way"][:_MOST_UNDER_WAY]:
        yield f"trial     {trial['label']}: {trial['epochs_done']} of {trial['epochs']} epochs"
    yield f"          {_hours(search['core_hours'], 'core-hours of trials', None)}"


def _describe_jobs(status: Status) -> Iterator[str]:
    if status.slurm and status.slurm != _ANSWERED:
        yield f"SLURM     {' '.join(status.slurm.split())}"
    stages = [job for job in status.jobs if job.stage != _WORKERS]
    workers = [job for job in status.jobs if job.stage == _WORKERS]
    if stages:
        yield from (f"          {line}" for line in align(_COLUMNS, [_row(job) for job in stages]))
    if workers:
        counted = Counter((job.state, job.reason if job.state == "PENDING" else "") for job in workers)
        told = ", ".join(
            f"{write_count(number)} {state}{f' ({reason})' if reason else ''}"
            for (state, reason), number in counted.most_common()
        )
        yield f"          worker jobs: {told}"


def _row(job: QueuedJob) -> tuple[str, ...]:
    return (
        job.stage,
        job.job_id,
        job.state or "not known",
        "" if job.reason == "None" else job.reason,
        job.nodes,
        "" if job.used_s is None else write_duration(job.used_s),
        "" if job.left_s is None else write_duration(job.left_s),
    )


def align(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table as lines of text; columns without anything in them are left out."""
    kept = [number for number in range(len(columns)) if any(row[number] for row in rows)]
    widths = {number: max(len(row[number]) for row in (columns, *rows)) for number in kept}
    for row in (columns, *rows):
        yield "  ".join(f"{row[number]:<{widths[number]}}" for number in kept).rstrip()


def _hours(spent: float, unit: str, to_come: float | None) -> str:
    more = "" if to_come is None else f" so far, {write_value(to_come)} to come"
    return f"{write_value(spent)} {unit}{more}"


def _is_short(value: Any) -> bool:
    return isinstance(value, int | float | str)


def _short(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return write_count(value)
    return write_value(value) if isinstance(value, float) else str(value)
