"""What a discriminator's verdicts cost both networks, and how sure they are: tensors (n,), one for each image."""

from __future__ import annotations

from typing import Any

from xpshpc.wafers.learning.generation_task import LossName


def discriminator_loss(name: LossName, real: Any, fake: Any, smoothing: float) -> Any:
    """The loss of calling what is real a fake, and the other way round; `smoothing` is taken from a real one's aim."""
    import tensorflow as tf

    if name == "hinge":
        return tf.nn.relu(1.0 - real) + tf.nn.relu(1.0 + fake)
    if name == "least_squares":
        return 0.5 * (tf.square(real - (1.0 - smoothing)) + tf.square(fake))
    # One-sided: a smoothed aim for fakes would hold the generator where it is wrong.
    return (1.0 - smoothing) * tf.nn.softplus(-real) + smoothing * tf.nn.softplus(real) + tf.nn.softplus(fake)


def generator_loss(name: LossName, fake: Any) -> Any:
    """The loss of being called a fake."""
    import tensorflow as tf

    if name == "hinge":
        return -fake
    if name == "least_squares":
        return 0.5 * tf.square(fake - 1.0)
    return tf.nn.softplus(-fake)


def score(name: LossName, verdict: Any, smoothing: float) -> Any:
    """How real a verdict calls an image: 0 surely a fake, 1 as real as a discriminator is taught to call anything."""
    import tensorflow as tf

    if name == "hinge":
        return tf.clip_by_value((verdict + 1.0) / 2.0, 0.0, 1.0)
    called = tf.sigmoid(verdict) if name == "cross_entropy" else verdict
    return tf.clip_by_value(called / (1.0 - smoothing), 0.0, 1.0)
