"""A small science for the tests: numbers from the job's seed, and a script of faults that strike while it works."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from xpshpc.config import Allowances, Generate, Job, JobFile, Section
from xpshpc.plan.seeds import Streams
from xpshpc.source import ArraySpec, SampleError

Behaviour = Literal[
    "kill",
    "exit",
    "sysexit",
    "hang",
    "freeze",
    "raise",
    "raise and die",
    "refuse",
    "nan",
    "shape",
    "dtype",
    "names",
    "slow",
    "full",
]


class Fault(Section):
    """What happens whenever `sample` is among those to be made, the first `times` times (0: always)."""

    sample: int
    behaviour: Behaviour
    times: int = 0


class Settings(Section):
    """`channels` decides the bytes; faults and slowness do not."""

    channels: int = 16
    faults: tuple[Fault, ...] = ()
    ledger: Path | None = None
    piece_s: float = 0.0


class Numbers:
    """A source: counts, a fraction, and the sample's own index."""

    piece_samples: int | None = None

    def __init__(self, settings: Settings, seed: int) -> None:
        self.settings = settings
        self.streams = Streams(seed)

    def arrays(self) -> tuple[ArraySpec, ...]:
        return (
            ArraySpec("counts", (self.settings.channels,), "uint16", "counts", "numbers", ("channel",)),
            ArraySpec("fraction", (3,), "float32", "1", "parts of one", ("part",)),
            ArraySpec("index", (), "int64", "1", "the sample's own index"),
        )

    def attributes(self) -> dict[str, Any]:
        return {"axis": list(range(self.settings.channels))}

    def make(self, indices: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        time.sleep(self.settings.piece_s)
        parts = self.streams.words(indices, 1, 3).astype(np.float32) + 1
        made: dict[str, Any] = {
            "counts": (self.streams.words(indices, 0, self.settings.channels) % 1000).astype(np.uint16),
            "fraction": parts / parts.sum(axis=1, keepdims=True),
            "index": indices.copy(),
        }
        for fault in self.settings.faults:
            if fault.sample in indices and self._strikes(fault):
                made = _strike(fault, made, indices, self.settings.ledger)
        return made

    def _strikes(self, fault: Fault) -> bool:
        """Counts each strike as a file, so that the count outlives the process it kills."""
        assert self.settings.ledger is not None
        struck = 0
        while (self.settings.ledger / f"{fault.behaviour}.{fault.sample}.{struck}").exists():
            struck += 1
        if fault.times and struck >= fault.times:
            return False
        (self.settings.ledger / f"{fault.behaviour}.{fault.sample}.{struck}").touch()
        return True


def _die_after_failing(folder: Path) -> None:
    """Ends the process as soon as an attempt's failure is written down anywhere under this folder."""
    while not any(folder.rglob("*.failed.json")):
        pass
    os.kill(os.getpid(), signal.SIGKILL)


def _strike(fault: Fault, made: dict[str, Any], indices: NDArray[np.int64], ledger: Path | None) -> dict[str, Any]:
    row = int(np.flatnonzero(indices == fault.sample)[0])
    match fault.behaviour:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(7)
        case "sysexit":
            sys.exit(7)
        case "hang":
            time.sleep(3600)
        case "freeze":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "raise":
            raise ZeroDivisionError("a fault of the script")
        case "raise and die":
            assert ledger is not None
            Thread(target=_die_after_failing, args=(ledger.parent,), daemon=True).start()
            raise ZeroDivisionError("a fault of the script")
        case "refuse":
            raise SampleError(fault.sample, "the script refuses it")
        case "full":
            raise OSError(errno.ENOSPC, "No space left on device")
        case "nan":
            made["fraction"][row, 0] = np.nan
        case "shape":
            made["counts"] = made["counts"][:, :-1]
        case "dtype":
            made["counts"] = made["counts"].astype(np.float64)
        case "names":
            del made["index"]
        case "slow":
            time.sleep(0.2)
    return made


class NumbersDomain:
    """The domain of these numbers; there is nothing to learn from them."""

    section = "numbers"
    settings: type[BaseModel] = Settings

    def decisive(self, settings: BaseModel) -> dict[str, Any]:
        assert isinstance(settings, Settings)
        return {"channels": settings.channels}

    def decisive_options(self, source: str, options: Mapping[str, Any]) -> dict[str, Any]:
        return dict(options)

    def sources(self) -> tuple[str, ...]:
        return ("embedded",)

    def source(self, name: str, settings: BaseModel, options: Mapping[str, Any], seed: int) -> Numbers:
        assert isinstance(settings, Settings)
        return Numbers(settings, seed)

    def problem(self, settings: BaseModel, task: Mapping[str, Any]) -> Any:
        raise NotImplementedError("numbers teach nothing")

    def panels(self, *_: Any, **__: Any) -> list[Any]:
        return []


def numbers_job(
    samples: int = 100,
    shard_samples: int = 16,
    inner_chunk_samples: int = 8,
    *,
    seed: int = 1,
    silence_s: float = 30.0,
    allowances: Mapping[str, int] | None = None,
    **settings: Any,
) -> JobFile:
    """A job of this science; `settings` are those of its section."""
    section = Generate(
        samples=samples,
        shard_samples=shard_samples,
        inner_chunk_samples=inner_chunk_samples,
        silence_s=silence_s,
        allowances=Allowances(**(allowances or {})),
    )
    domain: Any = NumbersDomain()
    return JobFile(Job(name="numbers", seed=seed, generate=section), domain, Settings(**settings), Path())
