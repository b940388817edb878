"""Feature files: .npz archives with one array `features`, one row a sample."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError

_HOW_TO_WRITE = "numpy.savez(path, features=array) with one row for each sample"


def read_features(path: Path) -> NDArray[Any]:
    """The array `features`, shape (n, d), real and finite, n ≥ 2.

    Nothing is unpickled. Raises UsageError naming the file, and the row and column of a value that is not finite.
    """
    where = str(path)
    if path.is_dir():
        raise UsageError("a directory, not an .npz file", where=where, try_=_HOW_TO_WRITE)
    if not path.is_file():
        raise UsageError("no such file", where=where)
    if not zipfile.is_zipfile(path):
        raise UsageError("not an .npz archive", where=where, try_=_HOW_TO_WRITE)
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = archive.files
            if names != ["features"]:
                found = ", ".join(names) or "nothing"
                raise UsageError(f"expected one array `features`, found {found}", where=where, try_=_HOW_TO_WRITE)
            features = archive["features"]
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise UsageError(f"cannot be read as an .npz archive: {error}", where=where, try_=_HOW_TO_WRITE) from None
    _check(features, where)
    return np.asarray(features)


def _check(features: NDArray[Any], where: str) -> None:
    if features.ndim != 2:
        raise UsageError(f"`features` has the shape {features.shape}, not (n, d)", where=where, try_=_HOW_TO_WRITE)
    if features.dtype.kind not in "fiu":
        raise UsageError(f"`features` is of {features.dtype}, not real numbers", where=where, try_=_HOW_TO_WRITE)
    n, d = features.shape
    if d == 0:
        raise UsageError("rows without features", where=where, try_=_HOW_TO_WRITE)
    if n < 2:
        raise UsageError(f"{n} sample(s): a Fréchet distance needs at least two", where=where)
    bad = np.argwhere(~np.isfinite(features))
    if len(bad):
        row, column = bad[0]
        raise UsageError(
            f"{len(bad)} value(s) are not finite, the first one in row {row}, column {column}",
            where=where,
            try_="leave these samples out, or find what the extractor met there",
        )
