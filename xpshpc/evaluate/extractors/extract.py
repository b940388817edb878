"""One rank's share of a set's features, in pieces that fit the memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from xpshpc.errors import UsageError
from xpshpc.evaluate.extractors.extractor import Answer, Extractor, RowExtractor
from xpshpc.evaluate.images.image_set import ImageSet
from xpshpc.evaluate.images.stored_rows import StoredRows

PIECE = 256
"""Samples that are read, answered and told of at a time."""


def extract_share(
    samples: ImageSet | StoredRows,
    extractor: Extractor,
    rank: int,
    ranks: int,
    *,
    on_images: Callable[[int], None] = lambda images: None,
) -> Answer:
    """The answers to this rank's samples, a run of neighbours in the set's order: the ranks' rows in the order of ranks
    are those of one rank, to the last bit, if each computes with one thread (`predict.use_one_thread`).

    `on_images` hears how many more samples are done. Raises UsageError for samples that the extractor cannot take, and
    for features that are not finite.
    """
    first, last = (len(samples) * place // ranks for place in (rank, rank + 1))
    answers = []
    # A rank without samples asks for none, and so tells the widths of its empty rows.
    for start in range(first, max(last, first + 1), PIECE):
        answer = _answer(samples, extractor, start, min(start + PIECE, last))
        if not np.isfinite(answer.features).all():
            raise UsageError(
                f"features that are not finite, of the samples from {start} on",
                where=samples.name,
                try_="another extractor",
            )
        answers.append(answer)
        on_images(len(answer.features))
    probabilities = [answer.probabilities for answer in answers if answer.probabilities is not None]
    return Answer(
        np.concatenate([answer.features for answer in answers]),
        np.concatenate(probabilities) if probabilities else None,
    )


def _answer(samples: ImageSet | StoredRows, extractor: Extractor, start: int, stop: int) -> Answer:
    if not isinstance(samples, StoredRows):
        return extractor.answer(samples.read(start, stop))
    if not isinstance(extractor, RowExtractor):
        raise UsageError(f"{extractor.name} takes images only", where=samples.name, try_="a trained run as --extractor")
    return extractor.answer_rows(samples.read_rows(start, stop))
