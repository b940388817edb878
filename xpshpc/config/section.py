"""What every table of a file is made of, and what helps those who misspell a key."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationError


class Section(BaseModel):
    """A table of a job file or profile: unknown keys, infinities and NaN are errors, values cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def known_keys(model: type[BaseModel], path: list[str]) -> list[str]:
    """The keys that the table at `path` inside a model may have; places in lists and free keys in it are passed by."""
    for key in path:
        field = model.model_fields.get(key)
        if field is None:
            continue
        tables = [kind for kind in _kinds(field.annotation) if issubclass(kind, BaseModel)]
        if not tables:
            return []
        model = tables[0]
    return list(model.model_fields)


def tell_faults(
    error: ValidationError, model: type[BaseModel], *, prefix: str = "", more_keys: Iterable[str] = ()
) -> list[str]:
    """Every fault of a table in words, by dotted key; `more_keys` are known beside the model's own at its top."""
    faults = []
    for fault in error.errors():
        keys = [str(key) for key in fault["loc"]]
        dotted = ".".join([prefix, *keys] if prefix else keys)
        if fault["type"] == "extra_forbidden":
            known = [*known_keys(model, keys[:-1]), *(more_keys if len(keys) == 1 else ())]
            faults.append(f"{dotted}: unknown key{nearest(keys[-1], known)}")
        else:
            said = fault["msg"].removeprefix("Value error, ")
            faults.append(f"{dotted}: {said}" if dotted else said)
    return faults


def _kinds(annotation: Any) -> Iterator[type]:
    """The classes of which an annotation is made: itself, what it holds, the members of a union."""
    if isinstance(annotation, type):
        yield annotation
    for part in get_args(annotation):
        yield from _kinds(part)


def nearest(name: str, known: Iterable[str]) -> str:
    """ " — did you mean …?" for a misspelt name, or the list of known names."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f" (did you mean {close[0]!r}?)"
    return f" (known: {', '.join(known)})" if known else ""
