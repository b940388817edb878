"""Small jobs with a search in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.train.stored_run import small_job
from xpshpc.config import JobFile, validate_job

DIVERGING = 1e30
"""A learning rate with which no training stays finite."""


def searched_job(
    folder: Path, parameters: dict[str, Any], *, train: dict[str, Any] | None = None, **search: Any
) -> JobFile:
    """The small job with a grid of these parameters; `search` are more keys of its [search]."""
    tables = small_job(folder, **(train or {})).resolved()
    return validate_job({**tables, "search": {"parameters": parameters, **search}}, where="test", folder=folder)
