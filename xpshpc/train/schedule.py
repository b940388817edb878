"""The learning rate at each step."""

from __future__ import annotations

import math


def learning_rate(step: int, *, peak: float, warmup_steps: float, total_steps: int) -> float:
    """Linear warm-up to `peak`, then half a cosine down to a hundredth of it.

    The ramp protects the first steps of adaptive optimisers and large batches (Goyal et al. 2017, arXiv:1706.02677);
    the cosine is that of Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts.
    """
    if step < warmup_steps:
        return peak * (step + 1) / (math.ceil(warmup_steps) + 1)
    progress = min(1.0, (step - warmup_steps) / max(1.0, total_steps - warmup_steps))
    floor = peak / 100
    return floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * progress))
