"""The compiled part of training: one step over all ranks, and answers without learning. Imports TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from xpshpc.cluster.communicator import GradientCommunicator
from xpshpc.cluster.ranks.gpus import own_gpu
from xpshpc.domain import Problem


def configure_tensorflow(*, threads: int, local_rank: int, seed: int) -> None:
    """Gives this rank its threads (0: TensorFlow's own choice), its GPU where there are some, and its random streams.

    To be called before TensorFlow's first operation.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    gpus = tf.config.list_physical_devices("GPU")
    own = own_gpu(local_rank, len(gpus))
    if own is not None:
        tf.config.set_visible_devices(gpus[own], "GPU")
        tf.config.experimental.set_memory_growth(gpus[own], True)
    keras.utils.set_random_seed(seed % 2**32)
    # Costs nothing that could be measured, and the same ranks repeat the same bits.
    tf.config.experimental.enable_op_determinism()


@dataclass(frozen=True)
class StepResult:
    """What a step found, the same on every rank but for `losses`.

    `loss` is the global batch's mean loss before the step, `norm` the reduced gradient's global norm, `stop` whether
    any rank was asked to stop; `losses` are those of this rank's own samples, (n,).
    """

    loss: float
    norm: float
    stop: bool
    losses: NDArray[np.float32]

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.loss) and np.isfinite(self.norm))


class Stepper:
    """A network and its optimiser, moved by the gradients of all ranks together.

    Each rank's loss is its own samples' sum over the size of the *global* batch; the gradients are summed over ranks,
    so the step is the one that a single rank would make on the whole batch.
    """

    def __init__(
        self,
        network: keras.Model,
        problem: Problem,
        ranks: GradientCommunicator,
        *,
        global_batch: int,
        gradient_clip: float | None,
    ) -> None:
        self.network = network
        self.optimizer = keras.optimizers.Adam()
        self.optimizer.build(network.trainable_variables)
        self._problem = problem
        self._ranks = ranks
        self._global_batch = global_batch
        self._clip = gradient_clip
        self._step = tf.function(self._take_step, reduce_retracing=True)
        self._answer = tf.function(self._take_answer, reduce_retracing=True)

    def broadcast(self) -> None:
        """Gives every rank the first one's weights and optimiser state."""
        self._ranks.broadcast_variables(self.network.variables)
        self._ranks.broadcast_variables(self.optimizer.variables)

    def step(
        self, inputs: NDArray[np.float32], truth: Mapping[str, NDArray[np.float32]], rate: float, stop: bool
    ) -> StepResult:
        """Moves the weights by one global batch, of which these are this rank's samples.

        Weights stay as they were where the loss or the gradient is not finite.
        """
        self.optimizer.learning_rate.assign(rate)
        told, norm, losses = self._step(tf.constant(inputs), _tensors(truth), tf.constant(float(stop)))
        loss, stops = told.numpy()
        return StepResult(float(loss), float(norm.numpy()), bool(stops > 0), losses.numpy())

    def answer(
        self, inputs: NDArray[np.float32], truth: Mapping[str, NDArray[np.float32]]
    ) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]:
        """The network's answers by output name, and each sample's loss."""
        answers, losses = self._answer(tf.constant(inputs), _tensors(truth))
        return {name: values.numpy() for name, values in answers.items()}, losses.numpy()

    def variables(self) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        """Copies of the network's and the optimiser's variables."""
        return [v.numpy() for v in self.network.variables], [v.numpy() for v in self.optimizer.variables]

    def assign(self, network: list[NDArray[Any]], optimizer: list[NDArray[Any]] | None = None) -> None:
        """Overwrites the variables. Raises ValueError where they are those of another network."""
        pairs = [(self.network.variables, network)]
        if optimizer is not None:
            pairs.append((self.optimizer.variables, optimizer))
        for variables, values in pairs:
            if [tuple(v.shape) for v in variables] != [v.shape for v in values]:
                raise ValueError("the checkpoint holds the variables of another network")
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def _take_step(self, inputs: Any, truth: dict[str, Any], stop: Any) -> tuple[Any, Any, Any]:
        weights = [variable.value for variable in self.network.trainable_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            losses = self._problem.losses(truth, self.network(inputs, training=True))
            loss = tf.reduce_sum(losses) / self._global_batch
        gradients = tape.gradient(loss, weights)
        # The loss and the wish to stop travel with the gradients: all ranks learn them at the same step, for nothing.
        *gradients, told = self._ranks.reduce_gradients([*gradients, tf.stack([loss, stop])])
        norm = tf.linalg.global_norm(gradients)
        if self._clip is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, self._clip, use_norm=norm)
        if tf.math.is_finite(told[0]) & tf.math.is_finite(norm):
            self.optimizer.apply(gradients, self.network.trainable_variables)
        return told, norm, losses

    def _take_answer(self, inputs: Any, truth: dict[str, Any]) -> tuple[Any, Any]:
        answers = self.network(inputs, training=False)
        return answers, self._problem.losses(truth, answers)


def _tensors(arrays: Mapping[str, NDArray[np.float32]]) -> dict[str, Any]:
    return {name: tf.constant(values) for name, values in arrays.items()}
