"""The best network of a search, kept apart from the trials: search/best/model.keras, and its card model.json."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xpshpc.errors import VerificationError
from xpshpc.run_directory import RunDirectory, sync_directory, write_atomically
from xpshpc.train.result import card_path, file_hash


def best_folder(run: RunDirectory) -> Path:
    """Where the best network is."""
    return run.search / "best"


def export_best(run: RunDirectory, trial: RunDirectory, choice: Mapping[str, Any]) -> None:
    """Copies a trial's network and card; `choice` (JSON) tells in the card, as "search", why this one.

    The folder appears whole, in the place of the one before: network and card belong together at any moment. Where it
    holds this network for this choice, it stays as it is. Raises VerificationError where the copy is not what the card
    was written for.
    """
    final, fresh, old = (run.search / name for name in ("best", ".best.new", ".best.old"))
    for left in (fresh, old):
        shutil.rmtree(left, ignore_errors=True)
    card = {**json.loads(card_path(trial).read_bytes()), "search": dict(choice)}
    if _card(final) == card and (final / trial.model.name).is_file():
        return
    fresh.mkdir()
    copy = fresh / trial.model.name
    shutil.copyfile(trial.model, copy)
    with copy.open("rb") as file:
        os.fsync(file.fileno())
    if file_hash(copy) != card["sha256"]:
        raise VerificationError(
            "this is not the network that its card was written for",
            where=str(trial.model),
            try_=f"rm -r {trial.path}, and search again: only this trial is trained anew",
        )
    write_atomically(fresh / card_path(trial).name, json.dumps(card, indent=1).encode())
    if final.exists():
        final.rename(old)
    fresh.rename(final)
    sync_directory(run.search)
    shutil.rmtree(old, ignore_errors=True)


def _card(folder: Path) -> Any:
    try:
        return json.loads((folder / "model.json").read_bytes())
    except (OSError, ValueError):
        return None
