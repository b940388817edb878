"""The compiled part of training: one step over all ranks, and answers without learning. Imports TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from xpshpc.cluster.communicator import GradientCommunicator
from xpshpc.cluster.ranks.gpus import own_gpu
from xpshpc.config import Train
from xpshpc.domain import Problem
from xpshpc.train.compression import HalfPrecisionWire
from xpshpc.train.loss_scale import LossScale
from xpshpc.train.optimizer import make_optimizer

Precision = Literal["float32", "mixed_float16", "mixed_bfloat16"]


def configure_tensorflow(*, threads: int, local_rank: int, seed: int, precision: Precision = "float32") -> None:
    """Gives this rank its threads (0: TensorFlow's own choice), its GPU where there are some, and its random streams.

    Networks that are built from now on compute in `precision`. To be called before TensorFlow's first operation.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    gpus = tf.config.list_physical_devices("GPU")
    own = own_gpu(local_rank, len(gpus))
    if own is not None:
        tf.config.set_visible_devices(gpus[own], "GPU")
        tf.config.experimental.set_memory_growth(gpus[own], True)
    keras.utils.set_random_seed(seed % 2**32)
    keras.config.set_dtype_policy(precision)
    # Costs nothing that could be measured, and the same ranks repeat the same bits.
    tf.config.experimental.enable_op_determinism()


@dataclass(frozen=True)
class StepResult:
    """What a step found, the same on every rank but for `losses`.

    `loss` is the global batch's mean loss before the step, `norm` the reduced gradient's global norm, `stop` whether
    any rank was asked to stop; `losses` are those of this rank's own samples, (n,). `skipped`: the gradient overflowed
    under its loss scale, and the weights stayed as they were.
    """

    loss: float
    norm: float
    stop: bool
    losses: NDArray[np.float32]
    skipped: bool = False

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.loss) and (self.skipped or np.isfinite(self.norm)))


class Stepper:
    """A network and its optimiser, moved by the gradients of all ranks together.

    Each rank's loss is its own samples' sum over the size of the *global* batch; the gradients are summed over ranks,
    so the step is the one that a single rank would make on the whole batch. The table [train] decides the optimiser,
    the clipping, in how many parts a rank computes its share, and in which precision gradients are made and travel.
    """

    def __init__(self, network: keras.Model, problem: Problem, ranks: GradientCommunicator, train: Train) -> None:
        self.network = network
        self.optimizer = make_optimizer(train, network.trainable_variables)
        self._problem = problem
        self._ranks = ranks
        self._global_batch = train.global_batch
        self._clip = train.gradient_clip
        self._parts = train.accumulate
        self._loss_scale = LossScale() if train.precision == "mixed_float16" else None
        tensors = len(network.trainable_variables)
        self._wire = HalfPrecisionWire(ranks, tensors) if train.compression == "fp16" else None
        # Networks that draw at random do so by the step: the same on every rank, in every part.
        self._counters = [each for each in network.non_trainable_variables if each.name == "training_step"]
        self._step = tf.function(self._take_step, reduce_retracing=True)
        self._answer = tf.function(self._take_answer, reduce_retracing=True)

    def broadcast(self) -> None:
        """Gives every rank the first one's weights and the state of its optimiser."""
        self._ranks.broadcast_variables(self.network.variables)
        self._ranks.broadcast_variables(self._state())

    def step(
        self, inputs: NDArray[np.float32], truth: Mapping[str, NDArray[np.float32]], rate: float, stop: bool
    ) -> StepResult:
        """Moves the weights by one global batch, of which these are this rank's samples.

        Weights stay as they were where the loss or the gradient is not finite.
        """
        self.optimizer.learning_rate.assign(rate)
        for counter in self._counters:
            counter.assign(self.optimizer.iterations)
        told, norm, losses, skipped = self._step(tf.constant(inputs), tensors_of(truth), tf.constant(float(stop)))
        loss, stops = told.numpy()
        return StepResult(float(loss), float(norm.numpy()), bool(stops > 0), losses.numpy(), bool(skipped.numpy()))

    def answer(
        self, inputs: NDArray[np.float32], truth: Mapping[str, NDArray[np.float32]]
    ) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]:
        """The network's answers by output name, and each sample's loss."""
        answers, losses = self._answer(tf.constant(inputs), tensors_of(truth))
        return {name: values.numpy() for name, values in answers.items()}, losses.numpy()

    def variables(self) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        """Copies of the network's variables, and of the optimiser's with all else that a step leaves to the next."""
        return [v.numpy() for v in self.network.variables], [v.numpy() for v in self._state()]

    def assign(self, network: list[NDArray[Any]], optimizer: list[NDArray[Any]] | None = None) -> None:
        """Overwrites the variables. Raises ValueError where they are those of another network."""
        assign_all(self.network.variables, network)
        if optimizer is not None:
            assign_all(self._state(), optimizer)

    def _state(self) -> list[Any]:
        """What a step leaves to the next one besides the network's variables."""
        more = [each.variables for each in (self._loss_scale, self._wire) if each is not None]
        return [*self.optimizer.variables, *(variable for variables in more for variable in variables)]

    def _take_step(self, inputs: Any, truth: dict[str, Any], stop: Any) -> tuple[Any, Any, Any, Any]:
        losses, gradients = self._differentiate_in_parts(inputs, truth)
        # The loss and the wish to stop travel with the gradients: all ranks learn them at the same step, for nothing.
        told = tf.stack([tf.reduce_sum(losses) / self._global_batch, stop])
        if self._wire is None:
            *gradients, told = self._ranks.reduce_gradients([*gradients, told])
        else:
            gradients = self._wire.reduce(gradients)
            (told,) = self._ranks.reduce_gradients([told])
        norm = tf.linalg.global_norm(gradients)
        if self._clip is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, self._clip, use_norm=norm)
        finite = tf.math.is_finite(told[0]) & tf.math.is_finite(norm)
        if finite:
            self.optimizer.apply(gradients, self.network.trainable_variables)
        skipped = tf.constant(False) if self._loss_scale is None else self._loss_scale.settle(finite)
        return told, norm, losses, skipped

    def _differentiate_in_parts(self, inputs: Any, truth: dict[str, Any]) -> tuple[Any, list[Any]]:
        """Each sample's loss, and the gradients of their sum over the global batch, one part of the rows at a time."""
        weights = [variable.value for variable in self.network.trainable_variables]
        if self._parts == 1:
            return self._differentiate(weights, inputs, truth)
        rows, *parts = (_in_parts(values, self._parts) for values in (inputs, *truth.values()))
        size = rows.shape[1]

        def add(part: Any, losses: Any, sums: list[Any]) -> tuple[Any, Any, list[Any]]:
            truth_of_part = {name: values[part] for name, values in zip(truth, parts, strict=True)}
            own, gradients = self._differentiate(weights, rows[part], truth_of_part)
            return part + 1, losses.write(part, own), [a + b for a, b in zip(sums, gradients, strict=True)]

        begin = (0, tf.TensorArray(tf.float32, self._parts, element_shape=(size,)), [tf.zeros_like(w) for w in weights])
        # Not side by side, or the memory that the parts are for would not be saved.
        _, losses, gradients = tf.while_loop(lambda part, *_: part < self._parts, add, begin, parallel_iterations=1)
        return tf.reshape(losses.stack(), [-1]), gradients

    def _differentiate(self, weights: list[Any], inputs: Any, truth: dict[str, Any]) -> tuple[Any, list[Any]]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            losses = self._problem.losses(truth, self.network(inputs, training=True))
            loss = tf.reduce_sum(losses) / self._global_batch
            if self._loss_scale is not None:
                loss = self._loss_scale.enlarge(loss)
        # A task may leave an output without a loss: its weights do not move, on any rank.
        gradients = tape.gradient(loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return losses, gradients if self._loss_scale is None else self._loss_scale.restore(gradients)

    def _take_answer(self, inputs: Any, truth: dict[str, Any]) -> tuple[Any, Any]:
        answers = self.network(inputs, training=False)
        return answers, self._problem.losses(truth, answers)


def assign_all(variables: Sequence[Any], values: Sequence[NDArray[Any]]) -> None:
    """Overwrites variables. Raises ValueError where the values are those of another network."""
    if [tuple(v.shape) for v in variables] != [v.shape for v in values]:
        raise ValueError("the checkpoint holds the variables of another network")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def tensors_of(arrays: Mapping[str, NDArray[np.float32]]) -> dict[str, Any]:
    """The same arrays as TensorFlow's own."""
    return {name: tf.constant(values) for name, values in arrays.items()}


def _in_parts(values: Any, parts: int) -> Any:
    return tf.reshape(values, (parts, values.shape[0] // parts, *values.shape[1:]))
