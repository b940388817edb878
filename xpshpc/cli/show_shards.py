"""Shards as people read of them: one's story, and those that are tried again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from xpshpc.cli.status_page import align
from xpshpc.report.quantities import write_count, write_duration, write_size, write_value

if TYPE_CHECKING:
    from rich.console import Console

    from xpshpc.report.shard_story import Attempt, ShardStory
    from xpshpc.store.record import CommitRecord
    from xpshpc.store.retry import Quarantine

_COLUMNS = ("attempt", "worker", "job", "began", "took", "outcome", "decision")
_LISTED = 20


def show_story(console: Console, story: ShardStory, sample: int | None) -> None:
    """A shard's samples and state, its attempts in order, and the commit that stands."""
    for line in describe_story(story, sample):
        console.print(line, markup=False)


def describe_story(story: ShardStory, sample: int | None) -> Iterator[str]:
    """The lines of a story; `sample`: what became of that one is said first."""
    if sample is not None:
        yield f"sample    {sample}: {story.fate_of(sample)}"
    yield f"shard     {story.shard}: samples {story.start} to {story.stop - 1}, {story.state}"
    table = list(align(_COLUMNS, [_row(attempt) for attempt in story.attempts]))
    for number, line in enumerate(table if story.attempts else []):
        yield f"{'attempts' if number == 0 else '':<9} {line}"
        why = story.attempts[number - 1].why if number else ""
        if why:
            yield f"            {why}"
    for event in story.taken_back:
        why = event.get("why") or f"{event.get('quarantined', 0)} samples in quarantine were to be tried again"
        yield f"taken back {_time(event['time'])}: {why}"
    if story.commit is not None:
        yield from _describe_commit(story.commit)


def _row(attempt: Attempt) -> tuple[str, ...]:
    return (
        str(attempt.number),
        f"{attempt.host}:{attempt.pid}",
        attempt.job_id,
        "" if attempt.began is None else _time(attempt.began),
        "" if attempt.seconds is None else write_duration(attempt.seconds),
        attempt.outcome + _place(attempt),
        attempt.decision,
    )


def _place(attempt: Attempt) -> str:
    if attempt.sample is not None:
        return f" at sample {attempt.sample}"
    return "" if attempt.piece is None else f" from sample {attempt.piece}"


def _describe_commit(record: CommitRecord) -> Iterator[str]:
    job = f", job {record.job_id}" if record.job_id else ""
    yield (
        f"commit    {_time(record.finished)} by process {record.pid} on {record.host}{job}: "
        f"{write_count(record.samples)} samples, {write_size(record.stored_bytes)}"
    )
    rows = [(name, write_size(file.bytes), file.sha256) for name, file in record.files.items()]
    yield from (f"          {line}" for line in align(("array", "size", "SHA-256 of the file"), rows))
    yield f"          {', '.join(f'{name} {number}' for name, number in sorted(record.versions.items()))}"
    for left_out in record.quarantined[:_LISTED]:
        yield f"left out  sample {left_out.sample}: {left_out.cause}, {left_out.why}"
    if len(record.quarantined) > _LISTED:
        yield f"          and {len(record.quarantined) - _LISTED} more (--json names all)"


def show_quarantine(console: Console, found: Quarantine) -> None:
    """Which samples are tried again, and what that takes."""
    if not found.shards:
        console.print(f"nothing to do: no sample is in quarantine in {found.run}", markup=False)
        return
    causes = ", ".join(f"{cause} {write_count(number)}" for cause, number in found.causes.items())
    console.print(
        f"{write_count(found.samples)} samples in quarantine ({causes}) in {write_count(len(found.shards))} shards; "
        f"{write_count(found.made_again)} other samples of these shards are made again, with the same bytes",
        markup=False,
    )
    console.print(f"cost      about {write_value(found.core_s / 3600)} core-hours, as the first time", markup=False)


def show_released(console: Console, run: str, shards: int, trained: bool) -> None:
    """What comes next."""
    console.print(f"{write_count(shards)} shards are pending; xpshpc generate {run} makes them", markup=False)
    if trained:
        console.print(f"the network was trained without these samples: xpshpc train {run} --restart", markup=False)


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
