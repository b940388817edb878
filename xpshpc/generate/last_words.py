"""What a failed attempt leaves beside its answer: the answer dies with a worker that dies at once, a file does not."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from xpshpc.store.record import Attempt


def leave_words(session: Path, shard: int, attempt: Attempt) -> None:
    """Writes down how an attempt failed. A disk that is full keeps nothing; the answer is then all there is."""
    with suppress(OSError):
        _file(session, shard, attempt.number).write_text(json.dumps(asdict(attempt)))


def take_words(session: Path, shard: int, number: int) -> Attempt | None:
    """How this attempt failed, if it came to say so; asking again finds nothing."""
    file = _file(session, shard, number)
    try:
        attempt = Attempt(**json.loads(file.read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        attempt = None
    file.unlink(missing_ok=True)
    return attempt


def _file(session: Path, shard: int, number: int) -> Path:
    return session / f"{shard:08d}.{number}.failed.json"
