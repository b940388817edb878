"""What of a plan exists: the names of the records say it; their contents are read only when asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpshpc.plan.shards import Plan
from xpshpc.run_directory import RunDirectory
from xpshpc.store.record import CommitRecord, read_records


@dataclass(frozen=True)
class Tally:
    """Sums over records. `samples` hold data; samples, quarantined and what is not yet committed add up to the plan."""

    shards: int = 0
    samples: int = 0
    quarantined: int = 0
    bytes: int = 0
    failed_attempts: int = 0
    core_s: float = 0.0

    def add(self, record: CommitRecord) -> Tally:
        return Tally(
            self.shards + 1,
            self.samples + record.samples,
            self.quarantined + len(record.quarantined),
            self.bytes + record.stored_bytes,
            self.failed_attempts + len(record.attempts),
            self.core_s + record.core_s,
        )


@dataclass(frozen=True)
class Manifest:
    """The committed shards of a plan: `committed` is a flag for each shard, `strangers` are names of no shard of it."""

    run: RunDirectory
    plan: Plan
    committed: NDArray[np.bool_]
    strangers: tuple[str, ...]

    def pending(self) -> Iterator[int]:
        """Numbers of the shards still to be made, ascending."""
        return (int(number) for number in np.flatnonzero(~self.committed))

    def pending_samples(self) -> int:
        """Samples of the plan that are neither committed nor in quarantine."""
        return sum(len(self.plan[number]) for number in self.pending())

    def records(self) -> Iterator[CommitRecord]:
        """The records of the committed shards, read one at a time. Raises VerificationError at one that is torn."""
        return read_records(self.run, (int(number) for number in np.flatnonzero(self.committed)))

    def tally(self) -> Tally:
        """Sums over all records."""
        total = Tally()
        for record in self.records():
            total = total.add(record)
        return total


def read_manifest(run: RunDirectory, plan: Plan) -> Manifest:
    """Lists the records of a run; a run without any has nothing committed."""
    committed = np.zeros(len(plan), dtype=bool)
    strangers: list[str] = []
    try:
        with os.scandir(run.commits) as entries:
            for entry in entries:
                number, suffix = entry.name[:-5], entry.name[-5:]
                if suffix == ".json" and number.isdecimal() and int(number) < len(plan):
                    committed[int(number)] = True
                elif entry.name != "plan.json":
                    strangers.append(entry.name)
    except FileNotFoundError:
        pass
    return Manifest(run, plan, committed, tuple(sorted(strangers)))
