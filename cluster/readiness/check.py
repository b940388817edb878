"""One check of the doctor: what was looked at, what was found, and the cure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class State(StrEnum):
    """How a check came out. A warning does not keep a job from running."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Check:
    """What was `found` under `name`, and the `cure` where it is not as it should be: what to type, or to change."""

    name: str
    state: State
    found: str
    cure: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)
