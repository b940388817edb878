"""What to do when SESSA fails: pure functions of the failure and the attempt."""

from __future__ import annotations

from enum import Enum, StrEnum


class Trouble(StrEnum):
    """How an attempt at a sample failed."""

    SILENT = "silent"
    OVERTIME = "overtime"
    DIED = "died"
    ERROR = "error"
    BAD_FILE = "bad file"


class Decision(Enum):
    """What follows a failed attempt. In each case the process that failed is ended and never asked again."""

    RETRY = "simulate the sample again, with a fresh process"
    REFUSE = "leave the sample out; the next one gets a fresh process"
    STOP = "stop the run: the program does not work on this machine"


def decide(trouble: Trouble, attempt: int, attempts: int, *, has_answered: bool) -> Decision:
    """The decision on attempt number `attempt` (from 1) of `attempts` at a sample.

    `has_answered`: whether a process of this program has ever answered a command. One that never did is not a matter
    of the sample, however it fails.
    """
    if attempt < attempts:
        return Decision.RETRY
    never_ran = not has_answered and trouble in (Trouble.SILENT, Trouble.OVERTIME, Trouble.DIED)
    return Decision.STOP if never_ran else Decision.REFUSE


def is_worn(spectra: int, restart_every: int) -> bool:
    """Whether a process that has made this many spectra is replaced before the next."""
    return spectra >= restart_every
