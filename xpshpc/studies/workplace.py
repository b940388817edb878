"""Where a study works: the profile, and how many processes its steps may have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from xpshpc.cluster.profile import Profile, resolve_threads
from xpshpc.cluster.ranks.step import Step, step_of


@dataclass(frozen=True)
class Workplace:
    """`workers` make samples, `ranks` learn and judge."""

    profile: Profile
    workers: int
    ranks: int

    @property
    def threads_per_rank(self) -> int:
        return resolve_threads(self.ranks, self.profile)

    def gang(self, stage: Literal["train", "evaluate"]) -> dict[str, Any]:
        """How the ranks of a stage are started."""
        step: Step | None = None if self.profile.kind == "local" else step_of(self.profile, stage, self.ranks)
        return {"ranks": self.ranks, "launcher": self.profile.launcher, "step": step}
