"""What every table of a file is made of, and what helps those who misspell a key."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of a job file or profile: unknown keys, infinities and NaN are errors, values cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def known_keys(model: type[BaseModel], path: list[str]) -> list[str]:
    """The keys that the table at `path` inside a model may have."""
    for key in path:
        field = model.model_fields.get(key)
        tables = [kind for kind in _kinds(field.annotation if field else None) if issubclass(kind, BaseModel)]
        if not tables:
            return []
        model = tables[0]
    return list(model.model_fields)


def _kinds(annotation: Any) -> list[type]:
    """The classes that an annotation allows: itself, or the members of a union."""
    return [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]


def nearest(name: str, known: Iterable[str]) -> str:
    """ " — did you mean …?" for a misspelt name, or the list of known names."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f" (did you mean {close[0]!r}?)"
    return f" (known: {', '.join(known)})" if known else ""
