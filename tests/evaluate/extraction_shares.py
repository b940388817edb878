"""A set extracted in several ways, with one thread as ranks do: python -m tests.evaluate.extraction_shares SET FILE."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from xpshpc.evaluate.extractors import open_extractor, open_set
from xpshpc.evaluate.extractors.extract import extract_share
from xpshpc.evaluate.predict import use_one_thread

RANKS = (1, 2, 3)


def main(path: Path, answer: Path) -> None:
    """Saves features and probabilities of all ranks joined, for each number of ranks, and of the set backwards."""
    use_one_thread()
    extractor = open_extractor("efficientnet-lite0")
    images = open_set(path, "efficientnet-lite0")
    found = {}
    for ranks in RANKS:
        shares = [extract_share(images, extractor, rank, ranks) for rank in range(ranks)]
        found[f"features_{ranks}"] = np.concatenate([share.features for share in shares])
        found[f"probabilities_{ranks}"] = np.concatenate([share.probabilities for share in shares])
    found["backwards"] = extractor.features(images.read(0, len(images))[::-1])
    np.savez(answer, **found)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
