"""The rule by which gradients move weights. Imports Keras."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from xpshpc.config import Train

MOMENTUM = 0.9


def make_optimizer(train: Train, variables: Sequence[Any]) -> keras.optimizers.Optimizer:
    """The optimiser of a [train] table, built for a network's trainable variables; its rate is set at each step.

    adam: Kingma and Ba 2015, arXiv:1412.6980. adamw, and the decay of all: decoupled from the gradient, Loshchilov and
    Hutter 2019, arXiv:1711.05101. sgd: with Nesterov's momentum. lamb: You et al. 2020, arXiv:1904.00962.
    """
    decay = train.weight_decay or None
    optimizer: keras.optimizers.Optimizer
    if train.optimizer == "adam":
        optimizer = keras.optimizers.Adam()
    elif train.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(weight_decay=train.weight_decay)
    elif train.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(momentum=MOMENTUM, nesterov=True, weight_decay=decay)
    else:
        optimizer = keras.optimizers.Lamb(weight_decay=decay)
    undecayed = [variable for variable in variables if not is_decayed(variable.shape)]
    if undecayed:
        optimizer.exclude_from_weight_decay(var_list=undecayed)
    optimizer.build(list(variables))
    return optimizer


def is_decayed(shape: Sequence[int]) -> bool:
    """Whether weight decay applies to a variable: to kernels, not to biases and the scales of normalisations.

    Those few have one axis only; pulling them towards 0 moves the answer and simplifies nothing (He et al. 2019,
    arXiv:1812.01187).
    """
    return len(shape) > 1
