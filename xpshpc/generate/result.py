"""What a call of the generate stage answers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class GenerateResult:
    """The state of a data set after `generate`.

    `planned`, `committed` (they hold data), `quarantined` and `made` (by this call, of either kind) count samples.
    `spectra_per_s` is that of this call, 0 if it had nothing to do. `core_s` are seconds on one core that went into the
    whole data set, failed attempts included; `failures` counts this call's failed attempts by cause.
    """

    run: str
    planned: int
    committed: int
    quarantined: int
    spectra_per_s: float
    wall_s: float
    made: int
    shards: int
    bytes: int
    workers: int
    core_s: float
    failures: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
