"""The test science as an installed one, so that a rank on a node finds it by the run's own job file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from tests.sources import NumbersDomain

ROOT = Path(__file__).parents[2]


class _Anything:
    """A learning problem that nobody is going to solve."""

    def check_network(self, *_: Any) -> None:
        """Any network will do."""


class InstalledNumbers(NumbersDomain):
    """Numbers, with a problem that a job file can be checked against."""

    def problem(self, settings: BaseModel, task: Mapping[str, Any]) -> Any:
        return _Anything()


def install(folder: Path) -> str:
    """Makes the science known to every Python that has the answer in its PYTHONPATH."""
    known = folder / "xpshpc_numbers-0.dist-info"
    known.mkdir(parents=True)
    (known / "METADATA").write_text("Metadata-Version: 2.1\nName: xpshpc-numbers\nVersion: 0\n")
    (known / "entry_points.txt").write_text(f"[xpshpc.domains]\nnumbers = {__name__}:{InstalledNumbers.__name__}\n")
    return f"{ROOT}:{folder}"
