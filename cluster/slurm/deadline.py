"""The time at which SLURM ends this job, and what can still be done before it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from xpshpc.cluster.slurm.client import Slurm, SlurmRefused, SlurmUnreachable, own_job

_PATIENCE_S = 30.0


def fits(deadline: float | None, now: float, duration_s: float, margin_s: float = 0.0) -> bool:
    """Whether work of this duration ends `margin_s` before the deadline (epoch seconds; None: there is no deadline)."""
    return deadline is None or now + duration_s + margin_s <= deadline


@dataclass(frozen=True)
class Deadline:
    """An end in seconds since the epoch; None where nothing ends this process."""

    end: float | None

    def left_s(self, now: float) -> float:
        """Seconds left, never less than 0; infinity without an end."""
        return float("inf") if self.end is None else max(0.0, self.end - now)

    @classmethod
    def of_this_job(cls, slurm: Slurm | None = None, environment: Mapping[str, str] = os.environ) -> Deadline:
        """SLURM_JOB_END_TIME where SLURM sets it (23.02 and later), else what the queue says, else none.

        A controller that does not answer is no reason to stop: then there is none, and SIGTERM comes all the same.
        """
        told = environment.get("SLURM_JOB_END_TIME", "")
        if told.isdecimal():
            return cls(float(told))
        job_id = own_job(environment)
        if job_id is None:
            return cls(None)
        try:
            return cls((slurm or Slurm(patience_s=_PATIENCE_S)).end_of(job_id))
        except (SlurmRefused, SlurmUnreachable):
            return cls(None)
