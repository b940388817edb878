"""What goes wrong between two networks that train each other, read off the history. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from xpshpc.train.history import EpochFinished

PATIENCE_EPOCHS = 5
"""One bad epoch is no trouble yet: the two networks swing."""

LEAST_DIVERSITY = 0.25
"""Below this share of the real samples' distance from one another, fakes are much the same."""

_SURELY_REAL, _SURELY_FAKE = 0.98, 0.02


class Trouble(Enum):
    """How adversarial training fails while its losses are finite; the value tells it to people."""

    COLLAPSED = "collapse: the generator makes much the same again and again"
    DISCRIMINATOR_WINS = "the discriminator tells every fake: the generator learns nothing any more"


def find_troubles(validations: Sequence[dict[str, float]]) -> tuple[Trouble, ...]:
    """The troubles that the last epochs' validations all show, from the first whole `PATIENCE_EPOCHS` on.

    Read are `diversity` (the fakes' mean distance from one another, of the real samples'), `real_score` and
    `fake_score` (0 means surely a fake, 1 surely real).
    """
    last = validations[-PATIENCE_EPOCHS:]
    if len(last) < PATIENCE_EPOCHS:
        return ()
    found = {
        Trouble.COLLAPSED: all(each["diversity"] < LEAST_DIVERSITY for each in last),
        Trouble.DISCRIMINATOR_WINS: all(
            each["real_score"] > _SURELY_REAL and each["fake_score"] < _SURELY_FAKE for each in last
        ),
    }
    return tuple(trouble for trouble, is_there in found.items() if is_there)


def tell_warnings(history: Sequence[EpochFinished]) -> list[str]:
    """Every trouble of a training with the epochs in which it was seen, in the order of their beginning."""
    epochs: dict[str, list[int]] = {}
    for finished in history:
        for warning in finished.warnings:
            epochs.setdefault(warning, []).append(finished.epoch)
    return [
        f"{warning} (epoch {seen[0]}{f' to {seen[-1]}, {len(seen)} in all' if len(seen) > 1 else ''} of {len(history)})"
        for warning, seen in epochs.items()
    ]
