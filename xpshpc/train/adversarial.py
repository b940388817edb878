"""The compiled part of adversarial training: discriminator, then generator, moved by all ranks. Imports TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from xpshpc.cluster.communicator import GradientCommunicator
from xpshpc.config import Train
from xpshpc.domain import AdversarialProblem, Rivals
from xpshpc.train.step import StepResult, assign_all, tensors_of

BETA_1 = 0.5
"""Adam's first decay as Radford et al. 2016 (arXiv:1511.06434) found it to keep two networks from swinging."""


class AdversarialStepper:
    """Two networks and their optimisers, moved in turn by the gradients of all ranks together.

    A step is one for the discriminator, or several, and then one for the generator, against the discriminator as it
    then is. Each network's gradients are summed over ranks as those of `Stepper` are. Normalisations take their
    statistics from groups of rows that lie within one rank's share; what the generator's remember is linear in those,
    so that its mean over ranks, which travels with the gradients, is what one rank would remember.

    `network` is the generator that is saved: its variables follow the trained ones as a running mean (Yaz et al. 2019,
    arXiv:1806.04498), which is shorter at the beginning so that the first weights are soon forgotten.
    """

    def __init__(self, rivals: Rivals, problem: AdversarialProblem, ranks: GradientCommunicator, train: Train) -> None:
        self.network: keras.Model = rivals.saved
        self._rivals = rivals
        self._problem = problem
        self._ranks = ranks
        self._global_batch = train.global_batch
        self._clip = train.gradient_clip
        self._generator_rule = _make_rule(rivals.generator)
        self._discriminator_rule = _make_rule(rivals.discriminator)
        self._remembered = list(rivals.generator.non_trainable_variables)
        assign_all(rivals.saved.variables, [v.numpy() for v in rivals.generator.variables])
        self._step = tf.function(self._take_step, reduce_retracing=True)
        self._answer = tf.function(self._take_answer, reduce_retracing=True)

    def broadcast(self) -> None:
        """Gives every rank the first one's weights and the state of its optimisers."""
        self._ranks.broadcast_variables(self._weights())
        self._ranks.broadcast_variables(self._state())

    def step(
        self, inputs: NDArray[np.float32], truth: Mapping[str, NDArray[np.float32]], rate: float, stop: bool
    ) -> StepResult:
        """Moves both networks by one global batch, of which these are this rank's samples.

        `loss` is the sum of both networks' losses, and `norm` the larger of both gradients' norms. A network whose loss
        or gradient is not finite stays as it was.
        """
        self._generator_rule.learning_rate.assign(rate)
        self._discriminator_rule.learning_rate.assign(rate * self._problem.discriminator_rate)
        told, norm, losses = self._step(tf.constant(inputs), tensors_of(truth), tf.constant(float(stop)))
        loss, stops = told.numpy()
        return StepResult(float(loss), float(norm.numpy()), bool(stops > 0), losses.numpy())

    def answer(
        self, inputs: NDArray[np.float32], truth: Mapping[str, NDArray[np.float32]]
    ) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]:
        """What the problem's validation looks at, and each sample's loss."""
        answers, losses = self._answer(tf.constant(inputs), tensors_of(truth))
        return {name: values.numpy() for name, values in answers.items()}, losses.numpy()

    def variables(self) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        """Copies of the three networks' variables, the saved one's first, and of the optimisers'."""
        return [v.numpy() for v in self._weights()], [v.numpy() for v in self._state()]

    def assign(self, network: list[NDArray[Any]], optimizer: list[NDArray[Any]] | None = None) -> None:
        """Overwrites the variables. Raises ValueError where they are those of other networks."""
        assign_all(self._weights(), network)
        if optimizer is not None:
            assign_all(self._state(), optimizer)

    def _weights(self) -> list[Any]:
        return [*self.network.variables, *self._rivals.generator.variables, *self._rivals.discriminator.variables]

    def _state(self) -> list[Any]:
        return [*self._generator_rule.variables, *self._discriminator_rule.variables]

    def _take_step(self, real: Any, truth: dict[str, Any], stop: Any) -> tuple[Any, Any, Any]:
        generator, discriminator = self._rivals.generator, self._rivals.discriminator
        for turn in range(self._problem.rounds):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(_values(discriminator))
                verdicts = self._problem.compare(self._rivals, real, truth, turn)
                d_losses = self._problem.discriminator_losses(*verdicts)
                loss = self._share(d_losses)
            gradients = _gradients(tape, loss, discriminator)
            *gradients, d_loss = self._ranks.reduce_gradients([*gradients, loss])
            d_norm = self._move(self._discriminator_rule, discriminator, gradients, d_loss)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(_values(generator))
            g_losses = self._problem.generator_losses(self._problem.deceive(self._rivals, truth))
            loss = self._share(g_losses)
        gradients = _gradients(tape, loss, generator)
        # The wish to stop and what normalisations remember travel along: all ranks learn them at the same step.
        remembered = [variable.value / self._ranks.size for variable in self._remembered]
        sent = [*gradients, tf.stack([loss, stop]), *remembered]
        received = self._ranks.reduce_gradients(sent)
        gradients, told, means = received[: len(gradients)], received[len(gradients)], received[len(gradients) + 1 :]
        for variable, mean in zip(self._remembered, means, strict=True):
            variable.assign(mean)
        g_norm = self._move(self._generator_rule, generator, gradients, told[0])
        self._follow()
        return told + tf.stack([d_loss, 0.0]), tf.maximum(d_norm, g_norm), d_losses + g_losses

    def _share(self, losses: Any) -> Any:
        return tf.reduce_sum(losses) / self._global_batch

    def _move(self, rule: Any, network: Any, gradients: list[Any], loss: Any) -> Any:
        norm = tf.linalg.global_norm(gradients)
        if self._clip is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, self._clip, use_norm=norm)
        if tf.math.is_finite(loss) & tf.math.is_finite(norm):
            rule.apply(gradients, network.trainable_variables)
        return norm

    def _follow(self) -> None:
        steps = tf.cast(self._generator_rule.iterations, tf.float32)
        kept = tf.clip_by_value((steps - 1) / (steps + 9), 0.0, self._problem.average)
        for mean, variable in zip(self.network.variables, self._rivals.generator.variables, strict=True):
            mean.assign(kept * mean + (1 - kept) * variable)

    def _take_answer(self, real: Any, truth: dict[str, Any]) -> tuple[Any, Any]:
        answers = self._problem.answer(self._rivals, real, truth)
        return answers, self._problem.losses(truth, answers)


def _make_rule(network: Any) -> keras.optimizers.Optimizer:
    rule: keras.optimizers.Optimizer = keras.optimizers.Adam(beta_1=BETA_1)
    rule.build(network.trainable_variables)
    return rule


def _gradients(tape: Any, loss: Any, network: Any) -> list[Any]:
    found = tape.gradient(loss, _values(network), unconnected_gradients=tf.UnconnectedGradients.ZERO)
    # That of an embedding comes as the rows that were looked up: sums over ranks are of whole tensors.
    return [tf.convert_to_tensor(gradient) for gradient in found]


def _values(network: Any) -> list[Any]:
    return [variable.value for variable in network.trainable_variables]
