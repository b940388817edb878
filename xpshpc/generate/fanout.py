"""The coordinator: hands shards out, watches over them, decides on failures, and knows when all is done."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from xpshpc.cluster.process import kill_process
from xpshpc.cluster.workforce import Workforce
from xpshpc.config import Generate
from xpshpc.errors import Drained, EnvironmentFault, VerificationError
from xpshpc.events import EventLog, Listener, StageProgressed
from xpshpc.generate.events import (
    DiskFull,
    SampleQuarantined,
    ShardCommitted,
    ShardFailed,
    ShardStarted,
    StopRequested,
    WorkerKilled,
)
from xpshpc.generate.heartbeat import Beat, Watch, attempt_folder, read_beats
from xpshpc.generate.policy import Cause, Decision, decide
from xpshpc.generate.shard_task import AttemptFailed, ShardTask, next_attempt
from xpshpc.generate.space import Pause, free_bytes
from xpshpc.generate.stop import StopSignals
from xpshpc.run_directory import RunDirectory
from xpshpc.store.commit import clear_staging
from xpshpc.store.lease import Lease
from xpshpc.store.manifest import Manifest, Tally
from xpshpc.store.record import Attempt, CommitRecord, read_record

if TYPE_CHECKING:
    from xpshpc.generate.crew import Crew, Ended

STAGE = "generate"
POLL_S = 0.2
DRAIN_S = 5.0
"""Seconds that a shard which has begun may take to end once a stop is asked for, where no profile says otherwise."""

STALLED_S = 120.0
"""Workers take a second to start and to be replaced; if none has begun anything for so long, none will."""


@dataclass(frozen=True)
class Supervision:
    """What a coordinator holds while it works: its lease, the log, requests to stop, and who wants to know."""

    lease: Lease
    log: EventLog
    stop: StopSignals
    on_event: Listener
    pause: Pause
    drain_s: float = DRAIN_S

    @property
    def session(self) -> str:
        """The name of this coordinator's part of staging; no other coordinator of the run has the same."""
        return f"{self.lease.generation:06d}"


@dataclass
class Harvest:
    """What stands: sums over the whole data set, over what this call made, and this call's failed attempts by cause."""

    total: Tally
    made: Tally = field(default_factory=Tally)
    failures: Counter[str] = field(default_factory=Counter)
    workers: int = 0


class FanOut:
    """The way of a plan's pending shards through a crew."""

    def __init__(
        self,
        run: RunDirectory,
        manifest: Manifest,
        settings: Generate,
        crew: Crew,
        workforce: Workforce,
        supervision: Supervision,
        harvest: Harvest,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run, self._plan, self._pending = run, manifest.plan, manifest.pending()
        self._settings, self._crew, self._workforce = settings, crew, workforce
        self._hold, self._harvest, self._clock = supervision, harvest, clock
        self._staging = run.staging / supervision.session
        self._again: deque[ShardTask] = deque()
        self._watch = Watch(settings.silence_s)
        self._looked = float("-inf")
        self._moved = clock()
        self._begun: dict[tuple[int, int], float] = {}
        self._silenced: set[tuple[int, int]] = set()
        self._left = int((~manifest.committed).sum())
        self._note = ""

    def complete(self) -> None:
        """Makes all pending shards, adding them to the harvest.

        Raises Drained if asked to stop, and whatever makes going on useless: an error of the source, the disk full for
        too long, shards that fail and no sample is to blame, the lease lost.
        """
        while self._left:
            self._hand_out()
            ended = self._crew.next_ended(POLL_S)
            while ended is not None:
                self._settle(ended)
                ended = self._crew.next_ended(0)
            self._look_after()
            if self._hold.stop.requests:
                self._drain()

    def _hand_out(self) -> None:
        """Fills the window, as far as there are shards that nobody has in hand."""
        window = self._workforce.connected * self._settings.window
        places = self._hold.pause.places(window, self._clock())
        while len(self._crew) < places:
            task = self._again.popleft() if self._again else self._new_task()
            if task is None:
                return
            self._crew.hand_out(task)

    def _new_task(self) -> ShardTask | None:
        number = next(self._pending, None)
        if number is None:
            return None
        return ShardTask(self._plan[number], 1, self._hold.session, first=not self._harvest.total.samples)

    def _settle(self, ended: Ended) -> None:
        task = ended.task
        record = read_record(self._run, task.shard.number)
        if record is not None:
            self._count(task, record)
        elif isinstance(ended.error, AttemptFailed):
            self._decide(task, ended.error.attempt)
        elif ended.lost:
            self._lose(task)
        elif ended.error is not None:
            raise ended.error
        else:
            raise VerificationError(f"shard {task.shard.number} was committed, and now its record is gone")
        self._begun.pop((task.shard.number, task.number), None)

    def _count(self, task: ShardTask, record: CommitRecord) -> None:
        harvest, emit = self._harvest, self._hold.log.emit
        self._moved = self._clock()
        self._left -= 1
        self._workforce.wanted = min(self._workforce.wanted, max(1, self._left))
        self._note_begin(task.shard.number, task.number, record.host, record.pid)
        harvest.total, harvest.made = harvest.total.add(record), harvest.made.add(record)
        self._hold.pause.end()
        for sample in record.quarantined:
            emit(SampleQuarantined(record.shard, sample.sample, sample.cause, sample.why))
        emit(
            ShardCommitted(
                shard=record.shard,
                attempt=task.number,
                samples=record.samples,
                quarantined=len(record.quarantined),
                bytes=record.stored_bytes,
                seconds=record.seconds,
                host=record.host,
                pid=record.pid,
            )
        )
        self._hold.on_event(StageProgressed(STAGE, harvest.total.samples + harvest.total.quarantined))

    def _lose(self, task: ShardTask) -> None:
        """A worker died with this task: charged to the shard only if it had begun."""
        shard, number = task.shard.number, task.number
        beats = [beat for beat in read_beats(self._staging) if (beat.shard, beat.attempt) == (shard, number)]
        if not beats:
            self._again.appendleft(task)
            return
        beat = beats[-1]
        for each in beats:
            if each.process.is_local:
                kill_process(each.process)  # cut off from the scheduler is not dead
            clear_staging(attempt_folder(self._staging, shard, number, each.pid))
        cause, why = Cause.WORKER_LOST, f"the worker died ({beat.step})"
        if (shard, number) in self._silenced:
            cause, why = Cause.SILENT, f"no sign of life for {self._settings.silence_s:g} s ({beat.step})"
        elif beat.leaving:
            cause, why = Cause.STOPPED, f"the worker was asked to leave and ended before its shard ({beat.step})"
        elif self._hold.stop.requests:
            cause, why = Cause.STOPPED, f"stopped by {self._hold.stop.by}"
        seconds = self._clock() - self._begun.get((shard, number), self._clock())
        seconds = round(max(seconds, 0.0), 3)
        self._decide(task, Attempt(number, cause.value, why, beat.host, beat.pid, seconds, beat.piece, beat.sample))

    def _decide(self, task: ShardTask, failure: Attempt) -> None:
        shard = task.shard.number
        decision = decide(failure, task.history, self._settings.allowances)
        self._note_begin(shard, task.number, failure.host, failure.pid)
        self._harvest.failures[failure.cause] += 1
        self._hold.log.emit(
            ShardFailed(
                shard=shard,
                attempt=task.number,
                cause=failure.cause,
                why=failure.why,
                decision=decision.name.lower(),
                host=failure.host,
                pid=failure.pid,
                seconds=failure.seconds,
                piece=failure.piece,
                sample=failure.sample,
            )
        )
        if decision is Decision.GIVE_UP:
            raise EnvironmentFault(
                f"shard {shard} failed {task.number} times, not over a sample; last: {failure.cause}, {failure.why}",
                where=f"worker {failure.pid} on {failure.host}",
                try_=f"look into {self._run.logs}, then the same command again",
            )
        if decision is Decision.WAIT:
            delay = self._hold.pause.begin(self._clock(), where=str(self._run.path))
            self._hold.log.emit(DiskFull(delay, free_bytes(self._run)))
        self._again.append(next_attempt(task, failure, decision))

    def _look_after(self) -> None:
        """Notes who began, kills who is silent, keeps the lease."""
        now = self._clock()
        if now - self._looked < POLL_S:
            return
        self._looked = now
        self._hold.lease.beat()
        self._workforce.tend()
        self._tell_of_waiting()
        beats = list(read_beats(self._staging))
        if beats or not self._is_staffed():
            self._moved = now
        elif now - self._moved > STALLED_S:
            raise EnvironmentFault(
                f"no worker has begun a shard for {STALLED_S:g} s",
                where=str(self._run.path),
                try_=f"look into {self._run.logs}, then xpshpc doctor",
            )
        for beat in beats:
            self._note_begin(beat.shard, beat.attempt, beat.host, beat.pid)
        for beat in self._watch.silent(beats, now):
            if (beat.shard, beat.attempt) not in self._silenced and self._end(beat):
                self._silenced.add((beat.shard, beat.attempt))
                self._hold.log.emit(WorkerKilled(beat.host, beat.pid, beat.shard, self._settings.silence_s))

    def _is_staffed(self) -> bool:
        """Whether something ought to happen: there is work in the workers' hands, or workers ought to be there."""
        return len(self._crew) > 0 if self._workforce.connected else not self._workforce.waiting

    def _tell_of_waiting(self) -> None:
        note = "" if self._workforce.connected else self._workforce.waiting
        if note != self._note:
            self._note = note
            self._hold.on_event(
                StageProgressed(STAGE, self._harvest.total.samples + self._harvest.total.quarantined, note)
            )

    def _end(self, beat: Beat) -> bool:
        """Kills a silent worker; false if there is no way to it."""
        if beat.process.is_local:
            kill_process(beat.process)
            return True
        return self._workforce.end_worker(beat.host, beat.pid, beat.worker)

    def _note_begin(self, shard: int, attempt: int, host: str, pid: int) -> None:
        if (shard, attempt) not in self._begun:
            self._begun[shard, attempt] = self._clock()
            self._hold.log.emit(ShardStarted(shard, attempt, host, pid))

    def _drain(self) -> None:
        """Lets what has begun come to its end for a short while, then raises Drained."""
        self._hold.log.emit(StopRequested(self._hold.stop.by, self._hold.drain_s))
        deadline = self._clock() + self._hold.drain_s
        self._crew.withdraw({(beat.shard, beat.attempt) for beat in read_beats(self._staging)})
        while len(self._crew) and self._clock() < deadline and self._hold.stop.requests < 2:
            ended = self._crew.next_ended(POLL_S)
            if ended is not None:
                self._settle(ended)
        raise Drained(
            f"stopped by {self._hold.stop.by}; what is committed stays, and the same command goes on from there",
            where=str(self._run.path),
            try_="the same command again",
        )
