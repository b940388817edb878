"""The coordinator: hands shards out, watches over them, decides on failures, and knows when all is done."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from xpshpc.cluster.process import kill_process
from xpshpc.cluster.workers.workforce import Workforce
from xpshpc.config import Generate
from xpshpc.errors import Drained, EnvironmentFault, VerificationError
from xpshpc.events import StageProgressed
from xpshpc.generate.backlog import Backlog
from xpshpc.generate.events import (
    DiskFull,
    SampleQuarantined,
    ShardCommitted,
    ShardFailed,
    ShardStarted,
    StopRequested,
    WorkerKilled,
)
from xpshpc.generate.group import GroupEnded
from xpshpc.generate.heartbeat import Beat, Watch, attempt_folder, read_beats
from xpshpc.generate.last_words import take_words
from xpshpc.generate.policy import Cause, Decision, decide
from xpshpc.generate.shard_task import ShardTask, next_attempt
from xpshpc.generate.space import free_bytes
from xpshpc.generate.supervision import Harvest, Supervision
from xpshpc.run_directory import RunDirectory
from xpshpc.store.commit import clear_staging
from xpshpc.store.manifest import Manifest
from xpshpc.store.record import Attempt, CommitRecord, read_record, record_file

if TYPE_CHECKING:
    from xpshpc.generate.crew import Crew, Ended, Group

STAGE = "generate"
POLL_S = 0.2
LOOK_SHARE = 0.2
"""The most of its time that the coordinator spends on reading beats: many workers on a slow file system take long."""
STALLED_S = 120.0
"""Workers take a second to start and to be replaced; if none has begun anything for so long, none will."""


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
        self._run, self._backlog = run, Backlog(manifest, supervision.session)
        self._settings, self._crew, self._workforce = settings, crew, workforce
        self._hold, self._harvest, self._clock = supervision, harvest, clock
        self._staging = run.staging / supervision.session
        self._watch = Watch(settings.silence_s)
        self._look_at = float("-inf")
        self._moved = clock()
        self._begun: dict[tuple[int, int], float] = {}
        self._silenced: set[tuple[int, int]] = set()
        self._left = len(self._backlog)
        self._note = ""

    def complete(self) -> None:
        """Makes all pending shards, adding them to the harvest.

        Raises Drained if asked to stop, and whatever makes going on useless: an error of the source, the disk full for
        too long, shards that fail and no sample is to blame, the lease lost.
        """
        while self._left:
            self._hand_out()
            ended = self._crew.next_ended(POLL_S)
            if ended is not None:
                self._settle(ended)
            self._look_after()
            if self._hold.stop.requests:
                self._drain()

    def _hand_out(self) -> None:
        """Fills the window, as far as there are shards that nobody has in hand."""
        window = self._workforce.connected * self._settings.window
        places = self._hold.pause.places(window, self._clock())
        while len(self._crew) < places:
            first, alone = not self._harvest.total.samples, self._hold.pause.is_on
            group = self._backlog.next_group(window, first=first, alone=alone)
            if not group:
                return
            self._crew.hand_out(group)

    def _settle(self, ended: Ended) -> None:
        """Counts what is in the store, decides on what failed, and puts back what had not begun."""
        if ended.lost:
            self._lose(ended.group)
        elif isinstance(ended.error, GroupEnded):
            self._settle_cut(ended.group, ended.error)
        else:
            self._settle_made(ended.group, ended.error)
        for task in ended.group:
            self._begun.pop((task.shard.number, task.number), None)
        self._tell(self._note)

    def _settle_made(self, group: Group, error: BaseException | None = None) -> None:
        for task in group:
            record = read_record(self._run, task.shard.number)
            if record is not None:
                self._count(task, record)
            elif error is not None:
                raise error
            else:
                raise VerificationError(f"shard {task.shard.number} was committed, and now its record is gone")

    def _settle_cut(self, group: Group, end: GroupEnded) -> None:
        self._settle_made(group[: end.place])
        self._backlog.put_back(group[end.place + (end.attempt is not None) :])
        if end.attempt is None:
            return
        failed = group[end.place]
        take_words(self._staging, failed.shard.number, failed.number)
        record = read_record(self._run, failed.shard.number)
        if record is not None:
            self._count(failed, record)
        else:
            self._decide(failed, end.attempt)

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
        self._backlog.note_seconds(record.seconds)

    def _lose(self, group: Group) -> None:
        """A worker died with this group: what it has committed counts, what it had failed at is known, the shard it was
        at is charged, the others had not begun."""
        last: dict[tuple[int, int], Beat] = {}
        keys = {(task.shard.number, task.number) for task in group}
        for beat in read_beats(self._staging):
            if (beat.shard, beat.attempt) in keys:
                last[beat.shard, beat.attempt] = beat
                if beat.process.is_local:
                    kill_process(beat.process)  # cut off from the scheduler is not dead
                clear_staging(attempt_folder(self._staging, beat.shard, beat.attempt, beat.pid))
        for task in group:
            record = read_record(self._run, task.shard.number)
            words = take_words(self._staging, task.shard.number, task.number)
            if record is not None:
                self._count(task, record)
            elif words is not None:
                self._decide(task, words)
            elif (task.shard.number, task.number) in last:
                self._charge(task, last[task.shard.number, task.number])
            else:
                self._backlog.put_back([task])

    def _charge(self, task: ShardTask, beat: Beat) -> None:
        """Decides on a shard whose worker died over it."""
        shard, number = task.shard.number, task.number
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
        self._backlog.put_back([next_attempt(task, failure, decision)])

    def _look_after(self) -> None:
        """Notes who began, kills who is silent, keeps the lease."""
        now = self._clock()
        if now < self._look_at:
            return
        self._hold.lease.beat()
        self._workforce.tend()
        self._tell_of_waiting()
        began = self._clock()
        beats = list(read_beats(self._staging))
        self._look_at = now + max(POLL_S, min((self._clock() - began) / LOOK_SHARE, self._settings.silence_s / 4))
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
            self._tell(note)

    def _tell(self, note: str) -> None:
        total = self._harvest.total
        self._hold.on_event(StageProgressed(STAGE, total.samples + total.quarantined, note))

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

    def _is_begun(self, group: Group, beats: set[tuple[int, int]]) -> bool:
        """Whether a worker is at one of these shards, or between two of them."""
        if any((task.shard.number, task.number) in beats for task in group):
            return True
        return record_file(self._run, group[0].shard.number).exists()

    def _drain(self) -> None:
        """Lets what has begun come to its end for a short while, then raises Drained."""
        self._hold.log.emit(StopRequested(self._hold.stop.by, self._hold.drain_s))
        deadline = self._clock() + self._hold.drain_s
        beats = {(beat.shard, beat.attempt) for beat in read_beats(self._staging)}
        self._crew.withdraw(lambda group: self._is_begun(group, beats))
        while len(self._crew) and self._clock() < deadline and self._hold.stop.requests < 2:
            ended = self._crew.next_ended(POLL_S)
            if ended is not None:
                self._settle(ended)
        raise Drained(
            f"stopped by {self._hold.stop.by}; what is committed stays, and the same command goes on from there",
            where=str(self._run.path),
            try_="the same command again",
        )
