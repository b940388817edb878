"""What is compared with what, by which extractor and scores: settled and checked before any work starts."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from xpshpc.config import Section
from xpshpc.errors import UsageError
from xpshpc.evaluate.bootstrap import RESAMPLES, SMALL
from xpshpc.evaluate.extractors.resize import Resize
from xpshpc.evaluate.features_file import read_features
from xpshpc.evaluate.reference_cache import cache_file, read_cached

DEFAULT_EXTRACTOR = "efficientnet-lite0"
AS_GIVEN = "as given"
"""The extractor's name where files of features are compared: nobody here knows it."""


class ComparedSet(Section):
    """One of the two sets: rows of a features file, or images whose features are still to be found.

    `cached` is the file that keeps the features of images, `is_cached` whether it is there already.
    """

    path: Path
    kind: Literal["features", "images"]
    n: int
    array: str | None = None
    cached: Path | None = None
    is_cached: bool = False

    @property
    def extracts(self) -> bool:
        """Whether its features have to be found."""
        return self.kind == "images" and not self.is_cached


class ExtractorChoice(Section):
    """An extractor as it was asked for, and what was found about it: name, hash, width, way to resize, classes."""

    asked: str
    weights: Path | None
    asked_resize: Resize | None
    name: str
    sha256: str
    dimensions: int
    resize: str
    classes: bool


class Comparison(Section):
    """All that decides the scores of two sets; it travels to the ranks as JSON."""

    a: ComparedSet
    b: ComparedSet
    extractor: ExtractorChoice | None
    kid: bool
    inception_score: bool
    resamples: int
    seed: int

    @property
    def extracts(self) -> bool:
        """Whether any features have to be found: the work that more ranks make shorter."""
        return self.a.extracts or self.b.extracts


def settle_comparison(
    a: Path,
    b: Path,
    *,
    extractor: str | None = None,
    weights: Path | None = None,
    weights_sha256: str | None = None,
    resize: Resize | None = None,
    array: str | None = None,
    kid: bool = False,
    inception_score: bool = False,
    bootstrap: int | None = None,
    cache: Path | None = None,
    seed: int = 0,
) -> Comparison:
    """Looks at both sets and at the extractor, extracts nothing, and needs no TensorFlow.

    `bootstrap` is the number of resamples; None is 100 for sets of at most 500 samples, and none beyond. Raises
    UsageError for what cannot be compared: a set that is missing, cannot be read or is of one sample, features beside
    images or of another number, an unknown extractor, weights that are missing or not the right ones, inception scores
    by an extractor without classes.
    """
    kinds = tuple(_kind_of(path) for path in (a, b))
    if kinds[0] != kinds[1]:
        raise UsageError(
            "different extractors on the two sides: one has features as given, the other images",
            where=f"{a}, {b}",
            try_="give the images of both, or the features of both by one extractor",
        )
    if kinds[0] == "features":
        _refuse_image_options(
            {
                "--extractor": extractor,
                "--weights": weights,
                "--weights-sha256": weights_sha256,
                "--resize": resize,
                "--array": array,
                "--inception-score": inception_score or None,
            }
        )
        sets = _look_at_features(a, b)
        choice = None
    else:
        # An extractor costs a look at a file, image sets may be folders of many: what is quicker to refuse comes first.
        choice = _choose_extractor(extractor or DEFAULT_EXTRACTOR, weights, resize, weights_sha256)
        if inception_score and not choice.classes:
            raise UsageError(
                f"the extractor {choice.name} tells features but no classes",
                where="--inception-score",
                try_="leave it out",
            )
        sets = _look_at_images(a, array, choice, cache), _look_at_images(b, array, choice, cache)
    if bootstrap is None:
        bootstrap = RESAMPLES if max(each.n for each in sets) <= SMALL else 0
    return Comparison(
        a=sets[0],
        b=sets[1],
        extractor=choice,
        kid=kid,
        inception_score=inception_score,
        resamples=bootstrap,
        seed=seed,
    )


def _kind_of(path: Path) -> Literal["features", "images"]:
    """An .npz file is of features unless it says that it is of images."""
    if not path.exists():
        raise UsageError("no such file or directory", where=str(path))
    if path.is_dir():
        return "images"
    names = zipfile.ZipFile(path).namelist() if zipfile.is_zipfile(path) else []
    return "images" if {"images.npy", "maps.npy"} & set(names) and "features.npy" not in names else "features"


def _look_at_features(a: Path, b: Path) -> tuple[ComparedSet, ComparedSet]:
    shapes = [read_features(path).shape for path in (a, b)]
    if shapes[0][1] != shapes[1][1]:
        raise UsageError(
            f"{shapes[0][1]} features in {a.name}, {shapes[1][1]} in {b.name}",
            where=f"{a}, {b}",
            try_="compare features of one and the same extractor",
        )
    first, second = (
        ComparedSet(path=path.resolve(), kind="features", n=shape[0])
        for path, shape in zip((a, b), shapes, strict=True)
    )
    return first, second


def _refuse_image_options(options: Mapping[str, object]) -> None:
    told = [option for option, value in options.items() if value is not None]
    if told:
        raise UsageError(
            f"{' and '.join(told)} need{'s' if len(told) == 1 else ''} images; these sets are features as given",
            where="xpshpc fid",
            try_="give runs, folders of images, or .npz files with an array `images`",
        )


def _choose_extractor(
    asked: str, weights: Path | None, resize: Resize | None, weights_sha256: str | None
) -> ExtractorChoice:
    from xpshpc.evaluate.extractors import describe_extractor
    from xpshpc.evaluate.extractors.choice import find_run

    told = describe_extractor(asked, weights=weights, resize=resize, sha256=weights_sha256)
    run = find_run(asked)
    return ExtractorChoice(
        asked=asked if run is None else str(run.resolve()),
        weights=None if weights is None else weights.resolve(),
        asked_resize=resize,
        **told,
    )


def _look_at_images(path: Path, array: str | None, extractor: ExtractorChoice, cache: Path | None) -> ComparedSet:
    from xpshpc.evaluate.extractors import open_set

    found = open_set(path, extractor.asked, array=array)
    kept = None
    if cache is not None:
        decisive = {"name": extractor.name, "sha256": extractor.sha256, "resize": extractor.resize}
        kept = cache_file(cache.resolve(), found.identity, decisive)
    return ComparedSet(
        path=path.resolve(),
        kind="images",
        n=len(found),
        array=array,
        cached=kept,
        is_cached=kept is not None and _is_sound(kept, len(found), extractor),
    )


def _is_sound(path: Path, n: int, extractor: ExtractorChoice) -> bool:
    found = read_cached(path)
    if found is None or found.features.shape != (n, extractor.dimensions):
        return False
    return (found.probabilities is not None) == extractor.classes
