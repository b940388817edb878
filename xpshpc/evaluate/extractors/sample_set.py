"""What an extractor looks at: a set of images, or the stored samples of its own science as they are."""

from __future__ import annotations

from pathlib import Path

from xpshpc.errors import UsageError
from xpshpc.evaluate.extractors.choice import find_run
from xpshpc.evaluate.images import ImageSet, is_run, open_images
from xpshpc.evaluate.images.stored_rows import StoredRows, open_rows
from xpshpc.run_directory import open_run


def open_set(
    path: Path, extractor: str, *, array: str | None = None, limit: int | None = None
) -> ImageSet | StoredRows:
    """The set at a path as `extractor` takes it.

    A trained run takes another run's samples as they are, images or not, if both are of one science and the arrays that
    the network reads are there; otherwise, and with `array`, the set is one of images. Raises UsageError for a set that
    is none.
    """
    network = find_run(extractor)
    if network is None or array is not None or not is_run(path):
        return open_images(path, array=array, limit=limit)
    trained, other = (open_run(run)[1] for run in (network, path))
    if trained.domain.section != other.domain.section:
        raise UsageError(
            f"samples of {other.domain.section} for a network of {trained.domain.section}",
            where=str(path),
            try_="a run of the same science",
        )
    return open_rows(path, trained.problem().reads, limit) or open_images(path, limit=limit)
