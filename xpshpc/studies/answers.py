"""Answers of steps that have no run of their own: kept with the question they answer, so that none is found twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpshpc.plan.identity import hash_json
from xpshpc.run_directory import write_atomically

SCHEMA = 1
"""Raised when the same question would be answered otherwise."""


@dataclass(frozen=True)
class Answer:
    """What a step found (JSON); `reused` tells that it was there before."""

    found: dict[str, Any]
    reused: bool


def answer_path(study: Path, step: str) -> Path:
    """Where the answer of a step is."""
    return study / "answers" / f"{step}.json"


def find_answer(
    study: Path,
    step: str,
    question: Mapping[str, Any],
    find: Callable[[], dict[str, Any]],
    *,
    files: Sequence[str] = (),
) -> Answer:
    """The answer of a step to a question (JSON), which holds all that decides it.

    `find` is asked if it is not known, or if one of the `files` that it leaves in the study's folder is gone.
    """
    path = answer_path(study, step)
    asked = hash_json([SCHEMA, dict(question)])
    known = read_answer(study, step, asked)
    if known is not None and all((study / file).is_file() for file in files):
        return Answer(known, reused=True)
    found = find()
    write_atomically(path, json.dumps({"question": asked, "answer": found}, indent=1, allow_nan=False).encode())
    return Answer(found, reused=False)


def read_answer(study: Path, step: str, asked: str | None = None) -> dict[str, Any] | None:
    """What a step found; None for nothing yet, a damaged file, or the answer to another question than `asked`."""
    try:
        told = json.loads(answer_path(study, step).read_bytes())
        answer = told["answer"]
        if asked is not None and told["question"] != asked:
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return answer if isinstance(answer, dict) else None
