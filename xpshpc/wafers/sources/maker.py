"""What each kind of maps must offer to become a source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xpshpc.config import nearest
from xpshpc.errors import UsageError

Rows = dict[str, NDArray[Any]]
"""Arrays by name, equal in length along their first axis."""

Tell = Callable[[str], None]
"""Takes what is begun now."""

NO_ORIGINAL = -1


class Maker(Protocol):
    """Makes samples by their place before the data set is shuffled."""

    @property
    def piece_samples(self) -> int:
        """Most samples in one call of the source."""
        ...

    @property
    def shuffled(self) -> bool:
        """Whether neighbouring places are alike, so that samples must be stored in another order."""
        ...

    @property
    def holds_gray(self) -> bool:
        """Whether `make` gives the array `gray` as well."""
        ...

    def check(self, samples: int) -> None:
        """Raises UsageError where so many samples cannot be made. Files are read, nothing is made."""
        ...

    def prepare(self, tell: Tell) -> None:
        """Gets what `make` needs, telling each step before it is begun; the second time there is nothing to do."""
        ...

    def make(self, places: NDArray[np.int64]) -> Rows:
        """The samples at these places: `map`, `label` and `original`."""
        ...


def label_places(names: Sequence[str], classes: Sequence[str], *, where: str) -> NDArray[np.uint8]:
    """The place of each name in the classes of the data set. Raises UsageError for one that is not among them."""
    for name in names:
        if name not in classes:
            raise UsageError(f"class {name!r} is none of this data set{nearest(name, classes)}", where=where)
    return np.array([classes.index(name) for name in names], dtype=np.uint8)
