"""What to do when an attempt at a shard fails: pure functions of failure, history and allowances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum

from xpshpc.config import Allowances
from xpshpc.store.record import Attempt

CONVICTED_AT = 2
"""Deaths at the same sample, made by itself, after which the sample and not the machine is held at fault."""

STUBBORN = 20
"""Deaths among samples made one by one that convict none, after which the machine and not a sample is at fault."""


class Cause(StrEnum):
    """Why an attempt failed, or a sample was left out. A job's allowances name the first four."""

    WORKER_LOST = "worker_lost"
    SILENT = "silent"
    CRASH = "crash"
    BAD_OUTPUT = "bad_output"
    REFUSED = "refused"
    DISK_FULL = "disk_full"
    STOPPED = "stopped"


class Decision(Enum):
    """What follows a failed attempt."""

    RETRY = "make the shard again"
    ISOLATE = "make it again, the piece that failed sample by sample"
    QUARANTINE = "make it again without the sample at fault"
    WAIT = "make it again when the disk has room; the failure costs nothing"
    REQUEUE = "hand it out again; it had not begun, or was asked to stop"
    GIVE_UP = "stop the run: no sample is at fault, and another attempt would fail too"


def decide(failure: Attempt, history: Sequence[Attempt], allowances: Allowances) -> Decision:
    """The decision on a failed attempt; `history` holds the shard's earlier ones.

    A cause's allowance is the number of failures after which the shard is still made again as a whole. The next one
    isolates the piece of the shard that failed. A worker that dies or falls silent over a single sample convicts it the
    second time; a crash or bad output leaves the worker alive, which tries the sample again at once (`is_convicted`).
    """
    cause = Cause(failure.cause)
    if cause is Cause.STOPPED:
        return Decision.REQUEUE
    if cause is Cause.DISK_FULL:
        return Decision.WAIT
    charged = [attempt for attempt in history if attempt.cause == cause]
    if len(charged) < getattr(allowances, cause):
        return Decision.RETRY
    if failure.piece is None:
        return Decision.GIVE_UP
    if failure.sample is None:
        return Decision.ISOLATE
    isolated = [attempt for attempt in history if attempt.sample is not None]
    if sum(attempt.sample == failure.sample for attempt in isolated) + 1 >= CONVICTED_AT:
        return Decision.QUARANTINE
    singles = len({attempt.sample for attempt in isolated})
    return Decision.GIVE_UP if singles > STUBBORN and _convicts_none(isolated) else Decision.ISOLATE


def is_convicted(failure: Attempt, history: Sequence[Attempt], allowances: Allowances) -> bool:
    """Whether a sample that is made by itself, and fails without harm to its worker, is at fault.

    It has the allowance of its cause to itself: a sample that fails now and then comes out, one that always does is
    left out. `history` holds its own earlier failures.
    """
    allowed: int = getattr(allowances, failure.cause)
    return sum(attempt.cause == failure.cause for attempt in history) >= allowed


def _convicts_none(isolated: Sequence[Attempt]) -> bool:
    samples = [attempt.sample for attempt in isolated[-STUBBORN:]]
    return len(set(samples)) == len(samples)


@dataclass(frozen=True)
class Patience:
    """How long to wait for room on the disk: delays double from `first_s` to `longest_s`, `total_s` in all."""

    first_s: float = 1.0
    longest_s: float = 60.0
    total_s: float = 600.0

    def delay(self, failures: int) -> float:
        """Seconds to wait after this many failures in a row."""
        return min(self.first_s * 2.0 ** min(failures - 1, 30), self.longest_s)
