"""A gang of ranks, here or on SLURM's nodes: started and watched together, and none outlives another's failure."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from xpshpc.cluster.profile import Launcher
from xpshpc.cluster.ranks.launchers import StartedGang, rank_environment, start_gloo, start_mpirun
from xpshpc.cluster.ranks.node_gang import start_on_nodes
from xpshpc.cluster.ranks.rank import error_path, log_path
from xpshpc.cluster.ranks.step import Step
from xpshpc.errors import Drained, EnvironmentFault, ExitCode, UsageError, VerificationError, XpshpcError

_POLL_S = 0.05
_SETTLE_S = 0.3
_TAIL_LINES = 15
_TAIL_BYTES = 16384
_AGAIN = "the same command again"


@dataclass(frozen=True)
class GangResult:
    """A gang that finished: how many ranks, how long in seconds, and each rank's log."""

    ranks: int
    wall_s: float
    logs: tuple[Path, ...]


class RankCrashed(XpshpcError):
    """A rank ended with an unexpected exit code; the rest of its gang was ended with it."""


class RankKilled(EnvironmentFault):
    """A signal ended a rank; the rest of its gang was ended with it."""


def run_gang(
    module: str,
    arguments: Sequence[str],
    *,
    ranks: int,
    log_directory: Path,
    launcher: Launcher = "gloo",
    step: Step | None = None,
    threads_per_rank: int = 1,
    environment: Mapping[str, str] | None = None,
    while_waiting: Callable[[], None] | None = None,
    timeout_s: float | None = None,
    drain_s: float = 120.0,
    clock: Callable[[], float] = time.monotonic,
) -> GangResult:
    """Runs `python -m module arguments` as `ranks` processes and waits for all of them.

    They are of this host, or, with a `step`, of SLURM's nodes, which have to see `log_directory` too. Rank N writes to
    `log_directory`/rank-N.log. `environment` is added to this process's own; `while_waiting` is called many times a
    second, and once after the end. SIGTERM and SIGINT that reach the main thread are passed to the ranks, which have
    `drain_s` seconds to leave with exit code 75.

    Raises Drained when the ranks stopped in good order, a rank's own error where one left an XpshpcError, RankKilled or
    RankCrashed where one died otherwise. Raises EnvironmentFault after `timeout_s` seconds, where the launcher is
    missing, or where the cluster ended the ranks (a node's failure, a time limit); UsageError with SLURM's words where
    it refuses them. No rank is left in any case, not even when this process is killed.
    """
    if ranks < 1:
        raise UsageError(f"a gang has at least one rank, not {ranks}", where="ranks", try_="ask for 1 or more")
    log_directory.mkdir(parents=True, exist_ok=True)
    log_starts: list[int] = []
    for rank in range(ranks):
        error_path(log_directory, rank).unlink(missing_ok=True)
        log = log_path(log_directory, rank)
        log_starts.append(log.stat().st_size if log.exists() else 0)
    started = clock()
    inherited = rank_environment(os.environ, environment or {}, threads_per_rank)
    asked_at: float | None = None
    with stop_requests() as stop, _start(launcher, step, ranks, inherited, log_directory, module, arguments) as gang:
        while gang.running():
            if gang.failing():
                _settle(gang)
                break
            if stop.is_set() and asked_at is None:
                asked_at = clock()
                gang.drain()
            if asked_at is not None and clock() - asked_at > drain_s:
                raise Drained(f"the ranks did not stop within {drain_s:.0f} s and were killed", try_=_AGAIN)
            if timeout_s is not None and clock() - started > timeout_s:
                raise EnvironmentFault(
                    f"{ranks} rank(s) of {module} did not finish within {timeout_s:.0f} s",
                    where=str(log_directory),
                    try_="read the ranks' logs there; xpshpc doctor",
                )
            if while_waiting:
                while_waiting()
            time.sleep(_POLL_S)
        failed = {rank: code for rank, code in gang.exit_codes().items() if code}
        fault = gang.fault() if failed else None
    if while_waiting:
        while_waiting()
    if failed:
        tails = [
            tail_of(log_path(log_directory, rank), start) or tail_of(gang.log, 0)
            for rank, start in enumerate(log_starts)
        ]
        errors = left_errors(log_directory, ranks)
        raise explain_failure(failed, errors, tails, log_directory, asked_at is not None, fault)
    return GangResult(ranks, clock() - started, tuple(log_path(log_directory, rank) for rank in range(ranks)))


def _start(
    launcher: Launcher,
    step: Step | None,
    ranks: int,
    environment: Mapping[str, str],
    logs: Path,
    module: str,
    arguments: Sequence[str],
) -> AbstractContextManager[StartedGang]:
    if launcher == "gloo":
        return start_gloo(ranks, environment, logs, module, arguments)
    if step is not None:
        return start_on_nodes(launcher, step, ranks, environment, logs, module, arguments)
    if launcher == "mpirun":
        return start_mpirun(ranks, environment, logs, module, arguments)
    raise UsageError(f"launcher {launcher!r} needs a SLURM profile", where="launcher", try_="--on PROFILE")


def explain_failure(
    failed: Mapping[int, int],
    errors: Mapping[int, Mapping[str, Any]],
    tails: Sequence[str],
    logs: Path,
    asked: bool,
    fault: XpshpcError | None = None,
) -> XpshpcError:
    """The error to raise for ranks that left with these codes (negative: a signal): the cause, not its consequences.

    An error that a rank explained itself comes first, then what the cluster did (`fault`), then a rank that a signal
    ended, then any other exit code. A rank that failed because it had lost another one is never the cause.
    """
    drained = (ExitCode.DRAINED, -signal.SIGTERM, -signal.SIGUSR1) if asked else (ExitCode.DRAINED,)
    if all(code in drained for code in failed.values()):
        return Drained("the ranks stopped in good order", try_=_AGAIN)
    for rank in sorted(errors):
        if errors[rank]["exit_code"] not in (ExitCode.DRAINED, ExitCode.RANK_LOST):
            return _as_raised(errors[rank])
    if fault is not None:
        return fault
    # Who stopped in good order was asked to, because another had failed.
    causes = {rank: code for rank, code in failed.items() if code not in (ExitCode.DRAINED, ExitCode.RANK_LOST)}
    if not causes:
        return EnvironmentFault(
            f"the ranks lost each other, and none of {len(tails)} says why", where=str(logs), try_=_AGAIN
        )
    signalled = [(rank, code) for rank, code in sorted(causes.items()) if code < 0]
    rank, code = (signalled or sorted(causes.items()))[0]
    tail = f"; the end of its log:\n{tails[rank]}" if tails[rank] else "; its log is empty"
    where = str(log_path(logs, rank))
    if code < 0:
        what = f"rank {rank} of {len(tails)} was ended by {signal.Signals(-code).name}{tail}"
        return RankKilled(what, where=where, try_=f"{_AGAIN}; with fewer ranks if memory ran out")
    return RankCrashed(f"rank {rank} of {len(tails)} left with exit code {code}{tail}", where=where, try_=_AGAIN)


def _as_raised(told: Mapping[str, Any]) -> XpshpcError:
    kinds: tuple[type[XpshpcError], ...] = (UsageError, VerificationError, EnvironmentFault)
    kind = next((kind for kind in kinds if kind.exit_code == told["exit_code"]), XpshpcError)
    return kind(told["error"], where=told["where"], try_=told["try"])


@contextmanager
def stop_requests() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set, where this is the main thread, instead of what they do otherwise."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _settle(gang: StartedGang) -> None:
    """Gives ranks that fail together the time to say why."""
    deadline = time.monotonic() + _SETTLE_S
    while time.monotonic() < deadline and gang.running():
        time.sleep(_POLL_S)


def left_errors(logs: Path, ranks: int) -> dict[int, dict[str, Any]]:
    """The errors that ranks left behind."""
    errors = {}
    for rank in range(ranks):
        path = error_path(logs, rank)
        if path.exists():
            errors[rank] = json.loads(path.read_bytes())
    return errors


def tail_of(path: Path, start: int) -> str:
    """The last lines that were written to a log after its byte `start`."""
    if not path.exists():
        return ""
    with path.open("rb") as log:
        log.seek(max(start, path.stat().st_size - _TAIL_BYTES))
        lines = log.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-_TAIL_LINES:])
