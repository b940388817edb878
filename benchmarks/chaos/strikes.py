"""The killer: what it may do, how often, and to whom; one seed gives one sequence of strikes."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from tests.slurm.actors import COORDINATOR, KEEPER, WORKER, actors, worker_jobs
from xpshpc.cluster.minislurm import Cluster
from xpshpc.errors import XpshpcError


class Kind(Enum):
    """A strike, and its share in all of them."""

    WORKER = ("kill -9 of a worker", 8)
    NANNY = ("kill -9 of a nanny", 4)
    CANCEL = ("scancel of a worker job", 3)
    STOP = ("SIGSTOP of a worker", 2)
    COORDINATOR = ("kill -9 of the coordinator", 2)
    POWER = ("power cut of a node", 2)
    CONTROLLER = ("kill -9 of slurmctld", 1)

    def __init__(self, title: str, share: int) -> None:
        self.title = title
        self.share = share


@dataclass(frozen=True)
class Plan:
    """What the killer will do: after `gap_s` seconds a strike of a kind, on the one that `lot` (0 to 1) falls on.

    What goes down comes back after `away_s` seconds.
    """

    kind: Kind
    gap_s: float
    lot: float
    away_s: float


@dataclass(frozen=True)
class Strike:
    """A strike that has fallen, in seconds since the epoch."""

    kind: Kind
    time: float


def plan_strikes(seed: int, mean_gap_s: float) -> Iterator[Plan]:
    """Strikes without end. Gaps are exponential, so that several may fall together."""
    lots = random.Random(seed)
    kinds = list(Kind)
    while True:
        (kind,) = lots.choices(kinds, [kind.share for kind in kinds])
        yield Plan(kind, lots.expovariate(1 / mean_gap_s), lots.random(), lots.uniform(1.0, 5.0))


@dataclass
class Killer:
    """Strikes at a cluster. A strike that finds nobody is put off until it does."""

    cluster: Cluster
    fallen: list[Strike] = field(default_factory=list)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)
    _repairs: list[threading.Thread] = field(default_factory=list)

    def strike(self, plan: Plan) -> bool:
        """Lets a strike fall; false if there is nobody whom it could meet."""
        hit = self._hit(plan)
        if hit:
            self.fallen.append(Strike(plan.kind, time.time()))
        return hit

    def repair_all(self) -> None:
        """Waits until what was taken down is back."""
        for repair in self._repairs:
            repair.join()
        self._repairs.clear()

    def _hit(self, plan: Plan) -> bool:
        match plan.kind:
            case Kind.WORKER:
                return self._signal(WORKER, signal.SIGKILL, plan.lot)
            case Kind.NANNY:
                return self._signal(KEEPER, signal.SIGKILL, plan.lot)
            case Kind.STOP:
                return self._signal(WORKER, signal.SIGSTOP, plan.lot)
            case Kind.COORDINATOR:
                return self._signal(COORDINATOR, signal.SIGKILL, plan.lot)
            case Kind.CANCEL:
                return self._cancel(plan.lot)
            case Kind.POWER:
                return self._cut(plan)
            case Kind.CONTROLLER:
                return self._stop_controller(plan)

    def _signal(self, part: str, number: signal.Signals, lot: float) -> bool:
        found = actors(self.cluster)[part]
        if not found:
            return False
        try:
            os.kill(found[int(lot * len(found))].pid, number)
        except ProcessLookupError:
            return False
        return True

    def _cancel(self, lot: float) -> bool:
        jobs = worker_jobs(self.cluster)
        return bool(jobs) and self.cluster.run("scancel", jobs[int(lot * len(jobs))]).ok

    def _cut(self, plan: Plan) -> bool:
        nodes = [node.name for node in self.cluster.status().nodes if node.powered]
        if len(nodes) < len(self.cluster.nodes):
            return False
        node = nodes[int(plan.lot * len(nodes))]
        with self._one_at_a_time:
            self.cluster.kill_node(node)
        self._later(plan.away_s, lambda: self.cluster.start_node(node))
        return True

    def _stop_controller(self, plan: Plan) -> bool:
        with self._one_at_a_time:
            self.cluster.stop_controller()
        self._later(plan.away_s / 2, self.cluster.start_controller)
        return True

    def _later(self, delay_s: float, repair: Callable[[], None]) -> None:
        """Repairs do not overlap: a node cannot come back while there is no controller to take it."""

        def work() -> None:
            time.sleep(delay_s)
            while True:
                with self._one_at_a_time:
                    try:
                        return repair()
                    except XpshpcError:
                        pass  # the controller is away: its own repair comes first
                time.sleep(0.2)

        thread = threading.Thread(target=work, daemon=True)
        self._repairs.append(thread)
        thread.start()
