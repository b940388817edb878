"""One rank's part of the scores of two sets: `python -m xpshpc.evaluate.set_scores_rank FOLDER`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.cluster.communicator import Communicator, open_communicator
from xpshpc.errors import EnvironmentFault
from xpshpc.evaluate.bootstrap import BootstrapInterval, bootstrap_frechet
from xpshpc.evaluate.comparison import AS_GIVEN, ComparedSet, Comparison, ExtractorChoice
from xpshpc.evaluate.extractors.extractor import Extractor
from xpshpc.evaluate.features_file import read_features
from xpshpc.evaluate.fid import fid
from xpshpc.evaluate.inception_score import InceptionScore, inception_score
from xpshpc.evaluate.kid import Kid, kernel_distance
from xpshpc.evaluate.predict import use_one_thread
from xpshpc.evaluate.reference_cache import Extracted, read_cached, write_cached
from xpshpc.evaluate.set_scores import ANSWER, COMPARISON, EVENTS, SetScores
from xpshpc.events import EventLog, StageFinished, StageProgressed, StageStarted
from xpshpc.run_directory import write_atomically

OnImages = Callable[[int], None]


def score_on_rank(
    comparison: Comparison, communicator: Communicator, on_images: OnImages = lambda images: None
) -> SetScores:
    """Finds this rank's share of the features and all ranks' scores together; every rank returns the same.

    `on_images` hears how many more images this rank has seen through.
    """
    began = time.monotonic()
    share = _Share(comparison.extractor, communicator, on_images)
    a = share.of(comparison.a)
    b = a if comparison.b == comparison.a else share.of(comparison.b)
    found = fid(a.features, b.features, communicator, seed=comparison.seed)
    distance, halves = found.distance, found.halves
    bootstrap, kid = _score_rows(comparison, a.features, b.features, distance.value, communicator)
    choice = comparison.extractor
    return SetScores(
        fid=distance.value,
        n_a=distance.n_a,
        n_b=distance.n_b,
        dimensions=distance.dimensions,
        extractor=choice.name if choice else AS_GIVEN,
        extractor_sha256=choice.sha256 if choice else None,
        resize=choice.resize if choice else None,
        method=distance.method,
        ranks=communicator.size,
        mean_term=distance.mean_term,
        trace_term=distance.trace_term,
        split_half_baseline=halves.value if halves else None,
        split_half_n=(halves.n_a, halves.n_b) if halves else None,
        bootstrap=bootstrap,
        kid=kid,
        inception_score=_score_classes(comparison, a, b, communicator) if comparison.inception_score else None,
        from_cache=(comparison.a.is_cached, comparison.b.is_cached),
        seconds=round(time.monotonic() - began, 3),
    )


@dataclass(frozen=True)
class _Share:
    """How this rank comes by its rows of a set: a run of neighbours, in the set's order."""

    extractor: ExtractorChoice | None
    communicator: Communicator
    on_images: OnImages

    def of(self, side: ComparedSet) -> Extracted:
        if side.kind == "features":
            return self._cut(Extracted(read_features(side.path), None))
        if side.is_cached:
            assert side.cached is not None
            kept = read_cached(side.cached)
            if kept is None:
                raise EnvironmentFault(
                    "cached features went while they were needed", where=str(side.cached), try_="the same command again"
                )
            return self._cut(kept)
        mine = self._extract(side)
        if side.cached is not None:
            probabilities = _gathered_or_none(mine.probabilities, self.communicator)
            whole = Extracted(_gathered(mine.features, self.communicator), probabilities)
            if self.communicator.rank == 0:
                write_cached(side.cached, whole)
        return mine

    def _extract(self, side: ComparedSet) -> Extracted:
        from xpshpc.evaluate.extractors import open_set
        from xpshpc.evaluate.extractors.extract import extract_share

        assert self.extractor is not None
        samples = open_set(side.path, self.extractor.asked, array=side.array)
        rank, size = self.communicator.rank, self.communicator.size
        return Extracted(*extract_share(samples, self._network, rank, size, on_images=self.on_images))

    @cached_property
    def _network(self) -> Extractor:
        """Opened once for both sets: to read it and to trace its first batch takes a second."""
        from xpshpc.evaluate.extractors import open_extractor

        assert self.extractor is not None
        choice = self.extractor
        return open_extractor(choice.asked, weights=choice.weights, resize=choice.asked_resize)

    def _cut(self, whole: Extracted) -> Extracted:
        rank, size, n = self.communicator.rank, self.communicator.size, len(whole.features)
        mine = slice(n * rank // size, n * (rank + 1) // size)
        probabilities = whole.probabilities
        return Extracted(whole.features[mine], None if probabilities is None else probabilities[mine])


def _gathered(rows: NDArray[Any], communicator: Communicator) -> NDArray[Any]:
    return np.concatenate(communicator.gather(rows))


def _gathered_or_none(rows: NDArray[Any] | None, communicator: Communicator) -> NDArray[Any] | None:
    return None if rows is None else _gathered(rows, communicator)


def _score_rows(
    comparison: Comparison, a: NDArray[Any], b: NDArray[Any], value: float, communicator: Communicator
) -> tuple[BootstrapInterval | None, Kid | None]:
    """The scores that need the rows themselves, not their moments: here, every rank holds all of them."""
    if not (comparison.resamples or comparison.kid):
        return None, None
    all_a, all_b = (_gathered(rows, communicator) for rows in (a, b))
    resamples, seed = comparison.resamples, comparison.seed
    return (
        bootstrap_frechet(all_a, all_b, value, communicator, resamples=resamples, seed=seed) if resamples else None,
        kernel_distance(all_a, all_b, communicator, seed=seed) if comparison.kid else None,
    )


def _score_classes(
    comparison: Comparison, a: Extracted, b: Extracted, communicator: Communicator
) -> dict[str, InceptionScore]:
    scores = {}
    for side, extracted in (("a", a), ("b", b)):
        assert extracted.probabilities is not None, "settle_comparison asks for classes"
        scores[side] = inception_score(extracted.probabilities, communicator, seed=comparison.seed)
    return scores


def _told_to(log: EventLog, comparison: Comparison, ranks: int) -> OnImages:
    """Tells the progress of all ranks by that of the first: the others' shares are as large, and progress alike."""
    sets = [comparison.a, comparison.b] if comparison.a != comparison.b else [comparison.a]
    total = sum(side.n for side in sets if side.extracts)
    mine = sum(side.n // ranks for side in sets if side.extracts)
    began, done = time.monotonic(), 0
    if total:
        log.emit(StageStarted("extract", total, 0, "samples"))

    def tell(images: int) -> None:
        nonlocal done
        done += images
        log.emit(StageProgressed("extract", total * done // mine))
        if done == mine:
            log.emit(StageFinished("extract", round(time.monotonic() - began, 3)))

    return tell


def main(meeting: Path) -> None:
    """Scores together with the other ranks; the first one tells its progress and writes what all found."""
    comparison = Comparison.model_validate_json((meeting / COMPARISON).read_text())
    if comparison.extracts:
        use_one_thread()
    with open_communicator() as communicator:
        if communicator.rank:
            score_on_rank(comparison, communicator)
            return
        with EventLog(meeting / EVENTS) as log:
            scores = score_on_rank(comparison, communicator, _told_to(log, comparison, communicator.size))
        write_atomically(meeting / ANSWER, json.dumps(scores.as_json()).encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
