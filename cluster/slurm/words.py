"""SLURM's words about its own commands: whether a failure is worth another try, and which job was made."""

from __future__ import annotations

import re
from enum import Enum, auto

_PASSING = re.compile(
    "|".join(
        (
            "timed out",
            "unable to contact slurm controller",
            "unable to contact the controller",
            "connection (refused|reset|timed out|failure)",
            "communication (connection failure|shutdown failure)",
            "zero bytes were transmitted",
            "send/recv operation",
            "backup controller in standby mode",
            "temporarily unable to accept job",
            "resource temporarily unavailable",
            "transport endpoint is not connected",
            "broken pipe",
            "network is unreachable",
            "no route to host",
            "temporary failure in name resolution",
            "failed to access .*munge",
            "munge encode failed",
            "protocol authentication error",
            "slurmctld is (busy|reconfiguring)",
            "too many open files",
            "configuration being updated",
            "database connection",
            "slurm_persist_conn",
        )
    ),
    re.IGNORECASE,
)
_GONE = re.compile(r"invalid job id|already complet|job has (already )?finished", re.IGNORECASE)
_NO_ACCOUNTING = re.compile(
    r"accounting storage is disabled|only supported with|not running a supported", re.IGNORECASE
)


class Verdict(Enum):
    """What to make of a command's end."""

    DONE = auto()
    AGAIN = auto()
    """The controller or the network was busy or away: the same command may be given again."""
    GONE = auto()
    """The job is not there any more, or has ended."""
    REFUSED = auto()
    """SLURM said no, and would say it again."""
    MISSING = auto()
    """There is no such command here."""


def judge(code: int | None, words: str) -> Verdict:
    """The verdict on an exit code (None: no answer in time) and what was said with it."""
    if code == 0:
        return Verdict.DONE
    if code is None or _PASSING.search(words):
        return Verdict.AGAIN
    if code == 127:
        return Verdict.MISSING
    said = [line for line in words.splitlines() if line.strip()]
    return Verdict.GONE if said and all(_GONE.search(line) for line in said) else Verdict.REFUSED


def lacks_accounting(words: str) -> bool:
    """Whether this is how SLURM says that it keeps no accounts of jobs."""
    return _NO_ACCOUNTING.search(words) is not None


def read_submitted(output: str) -> str | None:
    """The job's number from sbatch --parsable (`123` or `123;cluster`), whatever else a site's plugin said."""
    for line in reversed(output.splitlines()):
        match = re.fullmatch(r"(\d+)(;\S+)?", line.strip())
        if match:
            return match[1]
    return None
