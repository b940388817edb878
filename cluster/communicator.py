"""What ranks say to each other: reductions, broadcasts and gathers that are exact in float64.

`Solo` is one process by itself, `Horovod` speaks over Gloo or MPI through TensorFlow, `Mpi` needs mpi4py only. No other
module imports horovod or mpi4py for communication.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xpshpc.cluster.messages import Messages, Op, as_reducible, check_root
from xpshpc.errors import Drained, EnvironmentFault, ExitCode, UsageError, XpshpcError

Kind = Literal["auto", "solo", "horovod", "mpi"]

_MPI_RANK_COUNTS = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
_MPI_RANKS = ("PMIX_RANK", "PMI_RANK")


class RankLost(XpshpcError):
    """Another rank of the group is gone, so that nothing can be exchanged in it any more."""

    exit_code = ExitCode.RANK_LOST


class Communicator(Protocol):
    """A group of equal ranks. Every method but the properties is collective: all ranks call it in the same order."""

    @property
    def rank(self) -> int: ...

    @property
    def size(self) -> int: ...

    @property
    def local_rank(self) -> int: ...

    def allreduce(self, array: ArrayLike, op: Op = "sum") -> NDArray[np.float64]:
        """The element-wise sum, minimum or maximum over ranks, reduced in float64; the shape is kept."""
        ...

    def broadcast(self, value: Any, root: int = 0) -> Any:
        """The root's value on every rank: an array, or what JSON can hold. Other ranks may pass None."""
        ...

    def gather(self, array: ArrayLike) -> list[NDArray[Any]]:
        """The arrays of all ranks, in rank order, on every rank; lengths may differ."""
        ...

    def barrier(self) -> None:
        """Returns when every rank has called it."""
        ...


class GradientCommunicator(Communicator, Protocol):
    """A communicator that also reduces TensorFlow tensors in single precision, inside a `tf.function` or outside."""

    def reduce_gradients(self, gradients: Sequence[Any], *, average: bool = False) -> list[Any]:
        """The sums (or averages) over ranks of a list of tensors, fused into few messages."""
        ...

    def broadcast_variables(self, variables: Sequence[Any], root: int = 0) -> None:
        """Overwrites Keras variables on every rank with the root's values."""
        ...


class Solo:
    """One process: everything is already reduced."""

    rank = 0
    size = 1
    local_rank = 0

    def allreduce(self, array: ArrayLike, op: Op = "sum") -> NDArray[np.float64]:
        return as_reducible(array, op).copy()

    def broadcast(self, value: Any, root: int = 0) -> Any:
        check_root(root, self.size)
        return value

    def gather(self, array: ArrayLike) -> list[NDArray[Any]]:
        return [np.asarray(array)]

    def barrier(self) -> None:
        return

    def reduce_gradients(self, gradients: Sequence[Any], *, average: bool = False) -> list[Any]:
        return list(gradients)

    def broadcast_variables(self, variables: Sequence[Any], root: int = 0) -> None:
        check_root(root, self.size)


class Horovod(Messages):
    """Ranks that Horovod joined, over Gloo or MPI. Raises EnvironmentFault where Horovod cannot start."""

    def __init__(self) -> None:
        try:
            import horovod.tensorflow as hvd
        except ImportError as error:
            raise EnvironmentFault(
                f"Horovod cannot be imported: {error}", where="horovod.tensorflow", try_="xpshpc doctor"
            ) from error
        before = _sockets()
        hvd.init()
        self._connections = _sockets() - before
        self._hvd = hvd
        self._ops = {"sum": hvd.Sum, "min": hvd.Min, "max": hvd.Max}
        self.rank: int = hvd.rank()
        self.size: int = hvd.size()
        self.local_rank: int = hvd.local_rank()

    def allreduce(self, array: ArrayLike, op: Op = "sum") -> NDArray[np.float64]:
        import tensorflow as tf

        values = as_reducible(array, op)
        if values.size == 0:
            return values.copy()
        # A fixed name a shape lets Horovod's response cache recognise the call.
        name = f"allreduce.{op}.{values.size}"
        with tf.device("/cpu:0"):
            reduced = self._hvd.allreduce(tf.constant(values.reshape(-1)), op=self._ops[op], name=name)
        return np.array(reduced.numpy(), np.float64).reshape(values.shape)

    def send_from(self, root: int, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
        import tensorflow as tf

        with tf.device("/cpu:0"):
            return np.asarray(self._hvd.broadcast(tf.constant(data), root, name=f"broadcast.{root}").numpy())

    def exchange(self, data: NDArray[np.uint8], lengths: Sequence[int]) -> NDArray[np.uint8]:
        import tensorflow as tf

        with tf.device("/cpu:0"):
            return np.asarray(self._hvd.allgather(tf.constant(data), name="gather").numpy())

    def reduce_gradients(self, gradients: Sequence[Any], *, average: bool = False) -> list[Any]:
        if self.size == 1:
            return list(gradients)
        op = self._hvd.Average if average else self._hvd.Sum
        return list(self._hvd.grouped_allreduce(list(gradients), op=op))

    def broadcast_variables(self, variables: Sequence[Any], root: int = 0) -> None:
        check_root(root, self.size)
        # Horovod knows tf.Variable only; a Keras 3 variable holds one as its value.
        self._hvd.broadcast_variables([getattr(variable, "value", variable) for variable in variables], root_rank=root)

    def close(self) -> None:
        self._hvd.shutdown()

    def cut(self) -> None:
        """Breaks the connections to the other ranks, by any thread: whoever waits in one of them learns it at once.

        A rank of which Horovod knows that its group is broken keeps them open, and others wait for it in vain.
        """
        for number, _ in self._connections & _sockets():
            with suppress(OSError), socket.socket(fileno=os.dup(number)) as connection:
                connection.shutdown(socket.SHUT_RDWR)


class Mpi(Messages):
    """Ranks of an MPI launch, through mpi4py's buffers. Raises EnvironmentFault where MPI cannot start."""

    def __init__(self) -> None:
        try:
            from mpi4py import MPI
        except (ImportError, RuntimeError) as error:
            raise EnvironmentFault(f"MPI cannot start: {error}", where="mpi4py", try_="xpshpc doctor") from error
        self._mpi = MPI
        self._world = MPI.COMM_WORLD
        self._ops = {"sum": MPI.SUM, "min": MPI.MIN, "max": MPI.MAX}
        self.rank: int = self._world.Get_rank()
        self.size: int = self._world.Get_size()
        node = self._world.Split_type(MPI.COMM_TYPE_SHARED)
        self.local_rank: int = node.Get_rank()
        node.Free()

    def allreduce(self, array: ArrayLike, op: Op = "sum") -> NDArray[np.float64]:
        values = as_reducible(array, op)
        reduced = np.empty_like(values)
        self._world.Allreduce([values, self._mpi.DOUBLE], [reduced, self._mpi.DOUBLE], op=self._ops[op])
        return reduced

    def send_from(self, root: int, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
        self._world.Bcast([data, self._mpi.BYTE], root=root)
        return data

    def exchange(self, data: NDArray[np.uint8], lengths: Sequence[int]) -> NDArray[np.uint8]:
        received = np.empty(sum(lengths), np.uint8)
        self._world.Allgatherv([data, self._mpi.BYTE], [received, list(lengths), self._mpi.BYTE])
        return received


def launch_kind(environment: Mapping[str, str]) -> Literal["solo", "horovod", "mpi"]:
    """How this process was launched: by Horovod over Gloo, as an MPI rank, or by itself."""
    if "HOROVOD_RANK" in environment and environment.get("HOROVOD_CONTROLLER") == "gloo":
        return "horovod"
    if any(name in environment for name in _MPI_RANKS):
        return "mpi"
    if any(int(environment.get(name, "0")) > 0 for name in _MPI_RANK_COUNTS):
        return "mpi"
    return "solo"


@contextmanager
def open_communicator(kind: Kind = "auto") -> Iterator[Solo | Horovod | Mpi]:
    """Joins this process to its ranks.

    "auto" reads the launch from the environment: Horovod for a Gloo launch, Mpi for an MPI launch, else Solo. Raises
    UsageError for an unknown kind, EnvironmentFault where the library cannot start. What fails inside because another
    of Horovod's ranks is gone raises RankLost: its launcher then looks for the cause elsewhere.
    """
    chosen = launch_kind(os.environ) if kind == "auto" else kind
    if chosen == "solo":
        yield Solo()
    elif chosen == "mpi":
        yield Mpi()
    elif chosen == "horovod":
        horovod = Horovod()
        try:
            yield horovod
        except Exception as error:
            if not _tells_of_a_lost_rank(error):
                raise
            raise RankLost("another rank is gone", try_="the same command again") from error
        # Only after success: a rank that fails must not wait in the shutdown for those who wait for its gradients.
        horovod.close()
    else:
        raise UsageError(f"unknown communicator {kind!r}", try_="auto, solo, horovod or mpi")


@contextmanager
def open_passing_group() -> Iterator[Horovod]:
    """Joins this process to the group that the environment names, and leaves it so that another can be joined.

    What fails inside because another rank is gone raises RankLost, and so does a group that cannot be joined.
    """
    try:
        group = Horovod()
    except EnvironmentFault:
        raise
    except Exception as error:
        raise RankLost(f"the group cannot be joined: {error}") from error
    try:
        yield group
    except Drained:
        group.close()
        raise
    except Exception as error:
        if not _tells_of_a_lost_rank(error):
            raise
        group.cut()
        group.close()
        raise RankLost("another rank is gone") from error
    else:
        group.close()


def _tells_of_a_lost_rank(error: Exception) -> bool:
    from horovod.common.exceptions import HorovodInternalError
    from tensorflow.errors import OpError

    # TensorFlow wraps what its operations throw; only the message says that it was one of Horovod's.
    return isinstance(error, HorovodInternalError) or (isinstance(error, OpError) and "orovod" in str(error))


def _sockets() -> frozenset[tuple[int, str]]:
    """The open sockets of this process: file descriptor, and the kernel's name, which no later socket has again."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            name = str(entry.readlink())
            if name.startswith("socket:"):
                found.add((int(entry.name), name))
    return frozenset(found)


@contextmanager
def open_gradient_communicator() -> Iterator[GradientCommunicator]:
    """Joins this process to ranks that can reduce gradients: Horovod in any launch of several ranks, else Solo.

    mpi4py cannot reduce tensors inside a compiled step, so an MPI launch speaks through Horovod too.
    """
    with open_communicator("solo" if launch_kind(os.environ) == "solo" else "horovod") as communicator:
        assert not isinstance(communicator, Mpi)
        yield communicator
