"""The random streams of a wafer job, kept apart by purpose; the numbers decide bytes and are never used twice."""

from __future__ import annotations

from enum import IntEnum


class Purpose(IntEnum):
    """What a stream of `plan.seeds.Streams` is drawn for."""

    PART = 200
    """Seeds of a mixture's parts."""

    CLASS = 210
    DIES = 211
    YIELD_LOSS = 212
    SHAPE = 213
    FAILURES = 214

    AUGMENTATION = 220

    LATENT = 230

    ORDER = 240
    """The first round of an order; each further round has the next number."""
