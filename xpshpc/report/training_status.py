"""How a run's training stands, for its status: read from its loss curve and its model's card, nothing is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xpshpc.cluster.profile import Profile, read_profile
from xpshpc.cluster.submission.record import Submission
from xpshpc.errors import UsageError
from xpshpc.report.cost import Outlook, foresee_training
from xpshpc.report.recent import parse_object
from xpshpc.report.rivals import are_rivals
from xpshpc.run_directory import RunDirectory
from xpshpc.train.history import EpochFinished, history_path


def read_last_epoch(run: RunDirectory) -> dict[str, Any] | None:
    """The last epoch as the loss curve has it; None before the first is over."""
    lines = _lines(history_path(run))
    return parse_object(lines[-1]) if lines else None


def has_made_generator(run: RunDirectory) -> bool:
    """Whether a network that makes samples is trained to its end. It answers nothing, so no scores are to come."""
    try:
        card = parse_object(run.model_card.read_bytes())
    except FileNotFoundError:
        return False
    training = card.get("training") if card is not None else None
    validation = training.get("validation") if isinstance(training, dict) else None
    return isinstance(validation, dict) and are_rivals(validation)


def foresee_gpu_hours(run: RunDirectory, submission: Submission | None) -> Outlook:
    """GPU-hours of a training that was submitted to nodes with GPUs."""
    profile = _profile_of(submission)
    if profile is None or profile.slurm is None:
        return Outlook(None, None)
    ranks = profile.slurm.ranks("train")
    lines = _lines(history_path(run))
    history = [EpochFinished(**epoch) for epoch in map(parse_object, lines) if epoch is not None]
    if not ranks.gpus_per_node or not history:
        return Outlook(None, None)
    return foresee_training(history, history[-1].epochs, ranks.nodes * ranks.gpus_per_node)


def _profile_of(submission: Submission | None) -> Profile | None:
    """The profile of a submission, as far as it can still be read here."""
    if submission is None:
        return None
    try:
        return read_profile(submission.profile)
    except UsageError:
        return None


def _lines(file: Path) -> list[bytes]:
    try:
        return file.read_bytes().splitlines()
    except FileNotFoundError:
        return []
