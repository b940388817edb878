"""Keras for a worker that makes samples: one thread, so that a sample's bytes do not depend on the machine's cores."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import ModuleType


def import_keras(tell: Callable[[str], None] | None = None) -> ModuleType:
    """Imports Keras and lets TensorFlow compute with one thread; `tell` is told each step before it is begun.

    Workers share a machine by processes already. A process in which TensorFlow has computed before keeps its threads.
    """
    if tell is not None:
        tell("importing TensorFlow")
    import tensorflow as tf

    if tell is not None:
        tell("importing Keras")
    import keras

    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    module: ModuleType = keras
    return module
