"""A finished training: where its files are, which settings it answers, and how it is recognised."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpshpc.config import JobFile, Train
from xpshpc.plan.identity import data_hash, hash_json
from xpshpc.run_directory import RunDirectory
from xpshpc.train.checkpoint import latest_checkpoint
from xpshpc.train.history import kept_epoch
from xpshpc.train.stopping import is_over

SCHEMA = 1
"""Raised when the same job and data would give another network."""

_LEAVES_THE_NETWORK_AS_IT_IS = ("ranks", "keep_checkpoints", "elastic")


@dataclass(frozen=True)
class TrainResult:
    """A trained network.

    `validation` are the saved network's metrics, those of epoch `best_epoch`; `seconds` is the training's own time over
    all epochs, `spectra_per_s` and `data_wait_share` are means over it. `resumed_from` is the number of steps that were
    done before (None: none); `reused` tells that nothing was left to do; `stopped_early`, that not all epochs were
    needed; `warnings`, what went wrong between two networks that trained each other.
    """

    run: str
    ranks: int
    epochs: int
    model: Path
    validation: dict[str, float]
    best_epoch: int
    seconds: float
    spectra_per_s: float
    data_wait_share: float
    resumed_from: int | None
    reused: bool
    stopped_early: bool = False
    warnings: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "ranks": self.ranks,
            "epochs": self.epochs,
            "model": str(self.model),
            "validation": self.validation,
            "best_epoch": self.best_epoch,
            "seconds": round(self.seconds, 3),
            "spectra_per_s": round(self.spectra_per_s, 1),
            "data_wait_share": round(self.data_wait_share, 4),
            "resumed_from": self.resumed_from,
            "reused": self.reused,
            "stopped_early": self.stopped_early,
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class PausedTraining:
    """A training that waits after `epochs` whole epochs to be gone on with.

    `validation` are the last epoch's metrics, `best` those of the epoch to keep so far; `seconds` is the
    training's own time over all epochs.
    """

    run: str
    ranks: int
    epochs: int
    validation: dict[str, float]
    best: dict[str, float]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "ranks": self.ranks,
            "paused": True,
            "epochs": self.epochs,
            "validation": self.validation,
            "best": self.best,
            "seconds": round(self.seconds, 3),
        }


def card_path(run: RunDirectory) -> Path:
    """Where the saved model's card is: JSON with axis and units, the file's hash, and how it was trained."""
    return run.model_card


def events_path(run: RunDirectory) -> Path:
    """Where the first rank tells its progress."""
    return run.train / "events.jsonl"


def checkpoints_path(run: RunDirectory) -> Path:
    """Where the checkpoints are."""
    return run.train / "checkpoints"


def settings_hash(job_file: JobFile) -> str:
    """SHA-256 (hex) of all that decides a network: data, split, [train] and what the science makes of them.

    The number of ranks does not: it leaves every global batch as it is.
    """
    resolved = job_file.resolved()
    return hash_json(
        {
            "schema": SCHEMA,
            "data": data_hash(job_file),
            "split": resolved["split"],
            "train": {
                key: value for key, value in resolved["train"].items() if key not in _LEAVES_THE_NETWORK_AS_IT_IS
            },
            "problem": job_file.problem().model_card(),
        }
    )


def read_result(run: RunDirectory, settings: str | None = None) -> TrainResult | None:
    """The finished training of a run; None where there is none, none with these settings, or its model is damaged."""
    try:
        card = json.loads(card_path(run).read_bytes())
        training = card["training"]
        if settings not in (None, training["settings"]) or card["sha256"] != file_hash(run.model):
            return None
        told = {name: value for name, value in training.items() if name in TrainResult.__dataclass_fields__}
        return TrainResult(**told, run=str(run.path), model=run.model, reused=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_pause(
    run: RunDirectory, train: Train, settings: str, *, until_epoch: int, ranks: int, keeps_last: bool = False
) -> PausedTraining | None:
    """The training of a run that has come to the end of epoch `until_epoch`; None where some of it is to be done."""
    checkpoint = latest_checkpoint(checkpoints_path(run), settings)
    history = () if checkpoint is None else checkpoint.progress.history
    if len(history) < until_epoch or is_over(train, history):
        return None
    best = kept_epoch(history, last=keeps_last)
    seconds = sum(epoch.seconds for epoch in history)
    return PausedTraining(str(run.path), ranks, len(history), history[-1].validation, best.validation, seconds)


def file_hash(path: Path) -> str:
    """SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
