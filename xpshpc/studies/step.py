"""What one step of a study is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Work(StrEnum):
    """What a step does: stages of the engine on its run, or a comparison of runs that are there."""

    GENERATE = "generate"
    TRAIN = "train"
    JUDGE = "judge"
    IMAGES = "images"
    SWEEP = "sweep"
    SCORES = "scores"
    MAPS = "maps"


@dataclass(frozen=True)
class Step:
    """One step, after those it `needs`; `samples` are made or looked at, `epochs` trained.

    `tables` is the job of its run, which is named `run`. A step without one `reads` runs of others; what it finds is
    decided by their samples and by `decisive` (JSON), and `files` are what it leaves in the study's folder.
    """

    name: str
    purpose: str
    work: tuple[Work, ...]
    samples: int
    run: str | None = None
    tables: Mapping[str, Any] | None = None
    needs: tuple[str, ...] = ()
    epochs: int = 0
    reads: tuple[str, ...] = ()
    decisive: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()
