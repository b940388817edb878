"""What becomes of a batch job when its stage ends: it is finished, goes back into the queue, or has failed."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import Enum

from xpshpc.errors import ExitCode

FIRST_DELAY_S = 10.0
LONGEST_DELAY_S = 1800.0
BUG_RESTARTS = 3
"""A fault of the program itself may be one of the node it ran on: worth another node or two, not a night of them."""

SHORTEST_LIFE_S = 60.0
_ASKED = (-signal.SIGTERM, -signal.SIGINT, 128 + signal.SIGTERM, 128 + signal.SIGINT)


class Outcome(Enum):
    """What SLURM is told."""

    FINISHED = "finished"
    REQUEUE = "requeued"
    FAILED = "failed"


@dataclass(frozen=True)
class Ending:
    """How a stage's process ended: its exit code (-N: signal N), after how long, and whether it had been asked to."""

    code: int
    lived_s: float
    asked: bool = False


@dataclass(frozen=True)
class Verdict:
    """The outcome, in words why, and when the next life may begin; `charged` ones use up the job's restarts."""

    outcome: Outcome
    why: str
    delay_s: float = 0.0
    charged: bool = False


def judge_ending(ending: Ending, charged: int, allowed: int) -> Verdict:
    """The verdict on an ending, after `charged` of the `allowed` restarts have been used up.

    A stage that was asked to stop, or stopped in good order after a while, goes on at no charge. One that a signal
    killed, or that found the machine at fault, is tried again after a delay that doubles each time.
    """
    code = ending.code
    if code in (ExitCode.DONE, ExitCode.QUARANTINED):
        return Verdict(Outcome.FINISHED, "done" if code == ExitCode.DONE else "done, with samples in quarantine")
    if ending.asked and (code == ExitCode.DRAINED or code in _ASKED):
        return Verdict(Outcome.REQUEUE, "asked to stop; goes on")
    if code == ExitCode.DRAINED and ending.lived_s >= SHORTEST_LIFE_S:
        return Verdict(Outcome.REQUEUE, "stopped in good order; goes on")
    if ending.asked and code == -signal.SIGKILL:
        return Verdict(Outcome.REQUEUE, "did not stop in time and was killed; goes on")
    why = _tell(ending)
    if not _passes(code):
        return Verdict(Outcome.FAILED, why)
    most = min(allowed, BUG_RESTARTS) if code == ExitCode.BUG else allowed
    if charged >= most:
        return Verdict(Outcome.FAILED, f"{why}, after {charged} restarts")
    return Verdict(Outcome.REQUEUE, why, min(FIRST_DELAY_S * 2.0**charged, LONGEST_DELAY_S), charged=True)


def exit_status(ending: Ending) -> int:
    """The exit code of a shell script that ended so."""
    return ending.code if ending.code >= 0 else 128 - ending.code


def _passes(code: int) -> bool:
    """Whether another try may end otherwise."""
    return code < 0 or code > 128 or code in (ExitCode.BUG, ExitCode.ENVIRONMENT, ExitCode.DRAINED)


def _tell(ending: Ending) -> str:
    number = -ending.code if ending.code < 0 else ending.code - 128
    if ending.code < 0 or ending.code > 128:
        name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
        return f"ended by {name}"
    if ending.code == ExitCode.DRAINED:
        return f"stopped by itself after {ending.lived_s:.0f} s"
    known = {
        ExitCode.BUG: "crashed",
        ExitCode.USAGE: "the job or the command line is at fault",
        ExitCode.VERIFICATION: "verification failed",
        ExitCode.ENVIRONMENT: "the machine was at fault",
    }
    return (
        f"{known[ExitCode(ending.code)]} (exit code {ending.code})"
        if ending.code in known
        else (f"exit code {ending.code}")
    )
