"""Two networks that train each other: what of their history tells people something, and what does not."""

from __future__ import annotations

from collections.abc import Mapping

LOSSES = ("d_loss", "g_loss")
FIRST_METRICS = (*LOSSES, "diversity")
SCORES = ("real_score", "fake_score")
"""What the discriminator makes of samples: 0 means surely made, 1 surely real."""


def are_rivals(validation: Mapping[str, float]) -> bool:
    """Whether a validation is that of two such networks: the sum of their losses says nothing, and no epoch is best."""
    return set(LOSSES) <= set(validation)
