"""A rank's way through a training that outlives its losses: from group to group, with what it has learned."""

from __future__ import annotations

from collections.abc import Callable

from xpshpc.cluster.communicator import RankLost, open_passing_group
from xpshpc.cluster.ranks.elastic_member import Membership, Regrouping
from xpshpc.config import JobFile
from xpshpc.errors import Drained
from xpshpc.events import EventLog
from xpshpc.run_directory import RunDirectory
from xpshpc.train.checkpoint import Checkpoint
from xpshpc.train.history import RanksChanged
from xpshpc.train.loop import Trainer
from xpshpc.train.rank import Held, train_on_rank
from xpshpc.train.result import events_path


class Memory:
    """What this process holds of a training: the state after the last step, wherever the step after it failed."""

    def __init__(self) -> None:
        self.held: Held | None = None
        self._watched: tuple[Trainer, int] | None = None

    @property
    def steps(self) -> int:
        """Steps of the training that are held; -1 where there is nothing."""
        return -1 if self.held is None else self.held.checkpoint.progress.steps_done

    def watch(self, trainer: Trainer, begun_at: int) -> None:
        """Remembers whose state it will be."""
        self._watched = trainer, begun_at

    def keep(self) -> None:
        """Takes the state of the trainer that was watched since the last time, if it has begun."""
        if self._watched is not None:
            trainer, begun_at = self._watched
            if trainer.reached.progress is not None:
                self.held = Held(Checkpoint(trainer.reached.progress, *trainer.stepper.variables()), begun_at)
        self._watched = None


def train_elastically(
    run: RunDirectory,
    job_file: JobFile,
    membership: Membership,
    *,
    should_stop: Callable[[], bool],
    until_epoch: int | None = None,
) -> None:
    """Trains in one group after the other until the training is over, or this rank is not needed any more.

    The order of samples and each global batch are the same for any number of ranks, and a step either moves the weights
    or leaves them as they were: the first rank of a group hands its weights, optimiser state and place to the others,
    and the training is the one that nothing had disturbed.

    Raises Drained when this process is asked to stop, and what `train_on_rank` raises.
    """
    memory = Memory()
    while (group := membership.next_group(memory.steps, should_stop)) is not None:
        try:
            with open_passing_group() as ranks:
                membership.watch(ranks.cut)
                if ranks.rank == 0:
                    _tell(run, group, memory)
                train_on_rank(
                    run,
                    job_file,
                    ranks,
                    should_stop=lambda: should_stop() or membership.pausing,
                    until_epoch=until_epoch,
                    held=memory.held,
                    watch=memory.watch,
                )
                return
        except RankLost:
            memory.keep()
        except Drained:
            if should_stop():
                raise
            memory.keep()
    if should_stop():
        raise Drained("asked to stop while it waited for a group", try_="the same command again")


def _tell(run: RunDirectory, group: Regrouping, memory: Memory) -> None:
    if group.generation > 1:
        with EventLog(events_path(run)) as log:
            log.emit(RanksChanged(max(0, memory.steps), group.ranks, group.lost, group.joined))
