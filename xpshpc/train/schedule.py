"""The learning rate at each step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from xpshpc.config import Train

FLOOR = 1 / 100
"""Where a cosine ends, as a share of its peak."""


@dataclass(frozen=True)
class Schedule:
    """A linear warm-up to `peak`, then a cosine, a flight of steps, or nothing more; all lengths are in steps.

    The ramp protects the first steps of adaptive optimisers and large batches (Goyal et al. 2017, arXiv:1706.02677).
    cosine: half a cosine down to a hundredth of the peak (Loshchilov and Hutter 2017, arXiv:1608.03983, without
    restarts). steps: the rate is multiplied by `factor` at each of `falls` (He et al. 2016, arXiv:1512.03385).
    """

    peak: float
    warmup_steps: float
    total_steps: int
    shape: Literal["cosine", "steps", "constant"] = "cosine"
    falls: tuple[float, ...] = ()
    factor: float = 1.0

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        if step < self.warmup_steps:
            return self.peak * (step + 1) / (math.ceil(self.warmup_steps) + 1)
        if self.shape == "steps":
            return self.peak * self.factor ** sum(step >= fall for fall in self.falls)
        if self.shape == "constant":
            return self.peak
        progress = min(1.0, (step - self.warmup_steps) / max(1.0, self.total_steps - self.warmup_steps))
        floor = self.peak * FLOOR
        return floor + (self.peak - floor) * 0.5 * (1 + math.cos(math.pi * progress))


def choose_schedule(train: Train, total_steps: int) -> Schedule:
    """The schedule of a [train] table for a training of `total_steps`, its epochs told in steps of equal share."""
    steps_per_epoch = total_steps / train.epochs
    return Schedule(
        scale_rate(train),
        train.warmup_epochs * steps_per_epoch,
        total_steps,
        train.schedule,
        tuple(epoch * steps_per_epoch for epoch in train.decay_epochs),
        train.decay_factor,
    )


def scale_rate(train: Train) -> float:
    """The peak learning rate, grown from that of `base_batch` to that of `global_batch`.

    linear: by the ratio of the batches, so that a step of k times the samples does the work of k steps (Goyal et al.
    2017, arXiv:1706.02677). root: by its square root, which keeps the variance of a step (Krizhevsky 2014,
    arXiv:1404.5997); the usual choice for adaptive optimisers (You et al. 2020, arXiv:1904.00962).
    """
    power = {"none": 0.0, "root": 0.5, "linear": 1.0}[train.learning_rate_scaling]
    return train.learning_rate * math.pow(train.global_batch / train.base_batch, power)
