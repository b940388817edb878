"""A gang that outlives its losses: the ranks that are left form a new group and go on, and new ones join them.

Each generation has a rendezvous of its own. Horovod leaves a broken group in no time, and joins the next one in a tenth
of a second, in the same process; what it cannot do by itself is to find out that a rank is gone which it does not
happen to wait for. So a member that notices cuts its own connections, which tells its neighbours, and the launcher,
which knows its processes, tells everybody.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from xpshpc.cluster.profile import Launcher
from xpshpc.cluster.ranks.address import LOOPBACK, own_address
from xpshpc.cluster.ranks.elastic_gang import ElasticGang
from xpshpc.cluster.ranks.elastic_group import Elasticity
from xpshpc.cluster.ranks.elastic_nodes import open_node_seats
from xpshpc.cluster.ranks.elastic_roster import Roster
from xpshpc.cluster.ranks.elastic_seats import Seats, open_local_seats
from xpshpc.cluster.ranks.gang import GangResult, explain_failure, left_errors, stop_requests, tail_of
from xpshpc.cluster.ranks.launchers import rank_environment
from xpshpc.cluster.ranks.rank import error_path, log_path
from xpshpc.cluster.ranks.step import Step
from xpshpc.errors import Drained, EnvironmentFault, UsageError

_POLL_S = 0.05
_AGAIN = "the same command again"


class RanksLost(EnvironmentFault):
    """More ranks were lost than a gang may go on without."""


def run_elastic_gang(
    module: str,
    arguments: Sequence[str],
    *,
    ranks: int,
    elasticity: Elasticity,
    log_directory: Path,
    launcher: Launcher = "gloo",
    step: Step | None = None,
    threads_per_rank: int = 1,
    environment: Mapping[str, str] | None = None,
    while_waiting: Callable[[], None] | None = None,
    drain_s: float = 120.0,
    clock: Callable[[], float] = time.monotonic,
) -> GangResult:
    """As `run_gang`, with a module whose ranks join groups through `Membership`: it may lose ranks on its way.

    A rank is lost when a signal ends it, or its node is gone; any other failure ends the gang, as it does otherwise.
    The files of a rank that replaces another are those of the lost one, continued.

    Raises what `run_gang` raises, and RanksLost when too few ranks are left or too many were lost; those that are left
    have then been asked to stop in good order, as a group.
    """
    check_elastic(launcher, ranks, elasticity.min_ranks)
    log_directory.mkdir(parents=True, exist_ok=True)
    for rank in range(ranks):
        error_path(log_directory, rank).unlink(missing_ok=True)
    log_starts = [_size(log_path(log_directory, rank)) for rank in range(ranks)]
    inherited = rank_environment(os.environ, environment or {}, threads_per_rank)
    interface = None if step is None else step.interface
    started = clock()
    with ExitStack() as stack:
        stop = stack.enter_context(stop_requests())
        roster = Roster(LOOPBACK if launcher == "gloo" else own_address(interface))
        stack.callback(roster.close)
        seats = stack.enter_context(_open(launcher, step, inherited, log_directory, module, arguments, roster))
        gang = ElasticGang(ranks, elasticity, seats, roster, interface if launcher != "gloo" else "lo", clock)
        stack.callback(gang.close)
        seats.start(range(ranks))
        asked_at: float | None = None
        while gang.attend():
            if stop.is_set() and asked_at is None:
                asked_at = clock()
                gang.drain()
            if asked_at is not None and clock() - asked_at > drain_s:
                raise Drained(f"the ranks did not stop within {drain_s:.0f} s and were killed", try_=_AGAIN)
            if while_waiting:
                while_waiting()
            time.sleep(_POLL_S)
        fault = seats.fault() if gang.failed else None
    if while_waiting:
        while_waiting()
    if gang.failed:
        tails = [
            tail_of(log_path(log_directory, rank), start) or tail_of(seats.log, 0)
            for rank, start in enumerate(log_starts)
        ]
        raise explain_failure(gang.failed, left_errors(log_directory, ranks), tails, log_directory, True, fault)
    if gang.given_up is not None:
        raise RanksLost(gang.given_up, where=str(log_directory), try_=_AGAIN)
    if not gang.finished:
        raise Drained("the ranks stopped in good order", try_=_AGAIN)
    return GangResult(ranks, clock() - started, tuple(log_path(log_directory, rank) for rank in range(ranks)))


def check_elastic(launcher: Launcher, ranks: int, min_ranks: int) -> None:
    """Raises UsageError where a launcher's ranks cannot outlive each other (MPI ends all together), or are too few."""
    if launcher not in ("gloo", "srun-gloo"):
        raise UsageError(
            f"ranks that {launcher!r} starts end together, so train.elastic cannot go on with the rest",
            where="profile: launcher",
            try_='launcher = "gloo" on one host, "srun-gloo" on SLURM, or a job without [train.elastic]',
        )
    if ranks < min_ranks:
        raise UsageError(
            f"{ranks} rank(s) are fewer than the {min_ranks} that may be left of them",
            where="train.elastic.min_ranks",
            try_=f"--ranks {min_ranks}, or min_ranks = {ranks}",
        )


def _open(
    launcher: Launcher,
    step: Step | None,
    environment: Mapping[str, str],
    logs: Path,
    module: str,
    arguments: Sequence[str],
    roster: Roster,
) -> AbstractContextManager[Seats]:
    known = {**environment, **roster.environment}
    if launcher == "gloo":
        return open_local_seats(known, logs, module, arguments)
    if step is None:
        raise UsageError(f"launcher {launcher!r} needs a SLURM profile", where="launcher", try_="--on PROFILE")
    return open_node_seats(step, known, logs, module, arguments)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
