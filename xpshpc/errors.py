"""One error tree: every message says what is wrong, where, and what to type next."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command tells the shell, and SLURM, when it ends; RANK_LOST is said by a rank to its launcher only."""

    DONE = 0
    BUG = 1
    USAGE = 2
    QUARANTINED = 3
    VERIFICATION = 4
    ENVIRONMENT = 5
    DRAINED = 75
    RANK_LOST = 76


class XpshpcError(Exception):
    """An error a user can act on.

    `what` is wrong, `where` (a file, shard, sample, key), and `try_`: the next thing to type or change.
    """

    exit_code = ExitCode.BUG

    def __init__(self, what: str, *, where: str = "", try_: str = "") -> None:
        super().__init__(what, where, try_)
        self.what = what
        self.where = where
        self.try_ = try_

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  try: {self.try_}" if self.try_ else text

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.where, self.try_))

    def as_json(self) -> dict[str, object]:
        """The answer of `--json` on failure."""
        return {"error": self.what, "where": self.where, "try": self.try_, "exit_code": int(self.exit_code)}


def _rebuild(kind: type[XpshpcError], what: str, where: str, try_: str) -> XpshpcError:
    return kind(what, where=where, try_=try_)


class UsageError(XpshpcError):
    """A command line, job file, sample or measured file that cannot be taken."""

    exit_code = ExitCode.USAGE


class QuarantinedError(XpshpcError):
    """The work is done, but samples had to be left out."""

    exit_code = ExitCode.QUARANTINED


class VerificationError(XpshpcError):
    """The store does not hold what its records say."""

    exit_code = ExitCode.VERIFICATION


class EnvironmentFault(XpshpcError):
    """The machine, not the job: no space, a port in use, a missing library."""

    exit_code = ExitCode.ENVIRONMENT


class Drained(XpshpcError):
    """Stopped in good order before the work was done; asking again goes on where it stopped."""

    exit_code = ExitCode.DRAINED
