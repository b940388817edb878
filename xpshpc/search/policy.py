"""What follows when a trial fails, and when a search has had enough: pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum

from xpshpc.cluster.ranks.gang import RankKilled
from xpshpc.config import Budget, TrialAllowances
from xpshpc.errors import EnvironmentFault, UsageError, XpshpcError

_FIRST_PAUSE_S = 5.0
_LONGEST_PAUSE_S = 60.0


class Cause(StrEnum):
    """Why a trial failed: its settings, a death from outside, an error of a rank, the machine, or what was asked."""

    REFUSED = "refused"
    KILLED = "killed"
    CRASH = "crash"
    ENVIRONMENT = "environment"
    USAGE = "usage"


class Decision(StrEnum):
    """What follows a failure: the trial again, the next trial, or the end of the search for now."""

    AGAIN = "again"
    GIVE_UP = "give_up"
    STOP = "stop"


class Verdict(StrEnum):
    """Whether another trial is begun, and if not, why."""

    GO = "go"
    ENOUGH_TRIALS = "enough_trials"
    OUT_OF_TIME = "out_of_time"
    OUT_OF_CORE_HOURS = "out_of_core_hours"
    OUT_OF_GPU_HOURS = "out_of_gpu_hours"


@dataclass(frozen=True)
class Hours:
    """Hours of a resource: spent so far, expected of the trials under way, and expected of one more."""

    spent: float = 0.0
    under_way: float = 0.0
    next: float = 0.0

    def exceed(self, limit: float | None) -> bool:
        """Whether one more would be more than the limit."""
        if limit is None:
            return False
        committed = self.spent + self.under_way
        return committed >= limit or committed + self.next > limit


_NONE = Hours()


def cause_of(error: XpshpcError, *, told_by_rank: bool) -> Cause:
    """The cause behind an error of a training. One that diverged is refused: the same settings would again.

    What a rank tells (`told_by_rank`) is about this trial; other usage is about how ranks are started, or where.
    """
    if isinstance(error, RankKilled):
        return Cause.KILLED
    if isinstance(error, EnvironmentFault):
        return Cause.ENVIRONMENT
    if isinstance(error, UsageError):
        return Cause.REFUSED if told_by_rank else Cause.USAGE
    return Cause.CRASH


def decide(cause: Cause, failures: int, allowances: TrialAllowances) -> Decision:
    """What follows the `failures`-th failure of this cause: of the trial; for the environment, in a row.

    The environment and what was asked for are no trial's fault, and the next trial would meet the same: no trial is
    given up for them.
    """
    if cause is Cause.REFUSED:
        return Decision.GIVE_UP
    if cause is Cause.USAGE:
        return Decision.STOP
    if failures <= int(getattr(allowances, cause)):
        return Decision.AGAIN
    return Decision.STOP if cause is Cause.ENVIRONMENT else Decision.GIVE_UP


def pause_s(cause: Cause, failures: int) -> float:
    """Seconds to wait before the next attempt: a machine may come back, a dead rank has nothing to wait for."""
    if cause is not Cause.ENVIRONMENT:
        return 0.0
    return min(_FIRST_PAUSE_S * 2.0 ** (failures - 1), _LONGEST_PAUSE_S)


def judge_budget(
    budget: Budget,
    deadline: float | None,
    *,
    now: float,
    seconds: float,
    core_hours: Hours = _NONE,
    gpu_hours: Hours = _NONE,
) -> Verdict:
    """Whether one more attempt is begun, which is expected to take so many `seconds` (0: nothing tells yet).

    `deadline` and `now` are in seconds since the epoch. Before any trial has finished, nothing tells how long one
    takes, and the first is begun. The number of trials is judged by the strategy's own question, for a new one.
    """
    if deadline is not None and now + seconds > deadline:
        return Verdict.OUT_OF_TIME
    if core_hours.exceed(budget.core_hours):
        return Verdict.OUT_OF_CORE_HOURS
    if gpu_hours.exceed(budget.gpu_hours):
        return Verdict.OUT_OF_GPU_HOURS
    return Verdict.GO


def next_deadline(until: time | None, asked: float) -> float | None:
    """The first moment (seconds since the epoch) after `asked` at which local clocks show `until`; None without one."""
    if until is None:
        return None
    asked_at = datetime.fromtimestamp(asked)
    wanted = datetime.combine(asked_at.date(), until.replace(tzinfo=None))
    if wanted <= asked_at:
        wanted = datetime.combine(asked_at.date() + timedelta(days=1), until.replace(tzinfo=None))
    return wanted.timestamp()
