"""The loss curve: one line of JSON an epoch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xpshpc.events import Event
from xpshpc.run_directory import RunDirectory, write_atomically


@dataclass(frozen=True)
class EpochFinished(Event):
    """An epoch is over.

    `loss` is the mean over the epoch's training samples, each before its step; `validation` holds `loss` and the
    science's metrics on the validation shards; `data_wait_share` is the share of `seconds` spent waiting for samples;
    `warnings` name the troubles of two networks that train each other.
    """

    epoch: int
    epochs: int
    loss: float
    validation: dict[str, float]
    seconds: float
    spectra_per_s: float
    learning_rate: float
    data_wait_share: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainingWarned(Event):
    """From `epoch` on, training is in a trouble that `warning` tells; it goes on."""

    epoch: int
    warning: str


@dataclass(frozen=True)
class RanksChanged(Event):
    """After `step` steps an elastic training went on with `ranks` ranks: without those `lost`, with those `joined`.

    Both are the places in which ranks were started, counted from 0; a rank that replaces another has its place.
    """

    step: int
    ranks: int
    lost: tuple[int, ...]
    joined: tuple[int, ...]


def history_path(run: RunDirectory) -> Path:
    """Where a run's loss curve is."""
    return run.train / "history.jsonl"


def write_history(path: Path, epochs: Sequence[EpochFinished]) -> None:
    """Replaces the loss curve."""
    lines = [json.dumps(asdict(epoch), separators=(",", ":")) + "\n" for epoch in epochs]
    write_atomically(path, "".join(lines).encode())


def read_history(path: Path) -> list[EpochFinished]:
    """The loss curve as far as it is written; empty where training has not begun."""
    if not path.exists():
        return []
    return [epoch_from_json(json.loads(line)) for line in path.read_text().splitlines()]


def epoch_from_json(told: Mapping[str, Any]) -> EpochFinished:
    """An epoch as it was before it was written."""
    return EpochFinished(**{**told, "warnings": tuple(told.get("warnings", ()))})


def kept_epoch(history: Sequence[EpochFinished], *, last: bool) -> EpochFinished:
    """The epoch whose network is kept: the last one, or that with the smallest validation loss."""
    return history[-1] if last else min(history, key=lambda epoch: epoch.validation["loss"])
