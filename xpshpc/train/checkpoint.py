"""Checkpoints: whole directories that appear at once, hold their own hashes, and need no pickle.

train/checkpoints/step-0000001234/   network.npz  optimizer.npz  state.json
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import EnvironmentFault, UsageError
from xpshpc.run_directory import sync_directory
from xpshpc.train.history import EpochFinished, epoch_from_json

Variables = list[NDArray[Any]]

_ARCHIVES = ("network.npz", "optimizer.npz")
_TORN = (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Progress:
    """Where training stands: the next step to take is `step` of `epoch`, the `steps_done`-th of all.

    `loss_sum`, `seconds`, `wait_s` and `samples` belong to the part of `epoch` that is done; `history` to whole epochs.
    """

    settings: str
    epoch: int = 0
    step: int = 0
    steps_done: int = 0
    loss_sum: float = 0.0
    samples: int = 0
    seconds: float = 0.0
    wait_s: float = 0.0
    best_steps: int = -1
    best_loss: float = math.inf
    history: tuple[EpochFinished, ...] = ()

    def as_json(self) -> dict[str, Any]:
        # JSON has no infinity: before the first validation there is no best loss.
        best_loss = None if math.isinf(self.best_loss) else self.best_loss
        return asdict(self) | {"best_loss": best_loss}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Progress:
        history = tuple(epoch_from_json(epoch) for epoch in told["history"])
        best_loss = math.inf if told["best_loss"] is None else told["best_loss"]
        return cls(**{**told, "history": history, "best_loss": best_loss})


@dataclass(frozen=True)
class Checkpoint:
    """A moment of training that can be gone on from."""

    progress: Progress
    network: Variables
    optimizer: Variables


def save_checkpoint(folder: Path, checkpoint: Checkpoint, *, keep: int) -> Path:
    """Adds a checkpoint to `folder`; the best one and the last `keep` stay, older ones go."""
    final = folder / _name(checkpoint.progress.steps_done)
    temporary = folder / f".{final.name}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    hashes = {}
    for name, variables in zip(_ARCHIVES, (checkpoint.network, checkpoint.optimizer), strict=True):
        hashes[name] = _write(temporary / name, _packed(variables))
    state = {"progress": checkpoint.progress.as_json(), "sha256": hashes}
    _write(temporary / "state.json", json.dumps(state, indent=1).encode())
    sync_directory(temporary)
    if final.exists():
        shutil.rmtree(final)
    temporary.rename(final)
    sync_directory(folder)
    _prune(folder, keep, checkpoint.progress.best_steps)
    return final


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads one checkpoint. Raises ValueError or OSError where a file is missing or its bytes are not those written."""
    state = json.loads((path / "state.json").read_bytes())
    archives = []
    for name in _ARCHIVES:
        data = (path / name).read_bytes()
        if hashlib.sha256(data).hexdigest() != state["sha256"][name]:
            raise ValueError(f"{path / name}: its bytes are not those that were written")
        archives.append(_unpacked(data))
    return Checkpoint(Progress.from_json(state["progress"]), *archives)


def latest_checkpoint(folder: Path, settings: str) -> Checkpoint | None:
    """The newest checkpoint that is whole; a torn one is passed over. None where there is none.

    Raises UsageError for a checkpoint of other settings.
    """
    for path in reversed(_checkpoints(folder)):
        try:
            checkpoint = load_checkpoint(path)
        except _TORN:
            continue
        if checkpoint.progress.settings != settings:
            raise UsageError("this checkpoint belongs to other settings or data", where=str(path), try_="--restart")
        return checkpoint
    return None


def load_best(folder: Path, progress: Progress) -> Variables:
    """The network's variables with the smallest validation loss; the last whole ones if those are torn."""
    try:
        return load_checkpoint(folder / _name(progress.best_steps)).network
    except _TORN:
        last = latest_checkpoint(folder, progress.settings)
    if last is None:
        raise EnvironmentFault("no checkpoint can be read any more", where=str(folder), try_="the same command again")
    return last.network


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"))


def _name(steps_done: int) -> str:
    return f"step-{steps_done:010d}"


def _prune(folder: Path, keep: int, best_steps: int) -> None:
    for path in _checkpoints(folder)[:-keep]:
        if path.name != _name(best_steps):
            shutil.rmtree(path)


def _write(path: Path, data: bytes) -> str:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return hashlib.sha256(data).hexdigest()


def _packed(variables: Sequence[NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{f"{index:05d}": values for index, values in enumerate(variables)})
    return buffer.getvalue()


def _unpacked(data: bytes) -> Variables:
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return [archive[name] for name in sorted(archive.files)]
