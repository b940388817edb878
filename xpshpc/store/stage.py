"""Stages that read a run's data: one process works on each, and nobody takes the data away meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from xpshpc.errors import UsageError
from xpshpc.run_directory import RunDirectory, alone_in
from xpshpc.store.lease import Lease, hold_lease, read_owner

READERS = {"train": "training", "evaluate": "evaluating", "search": "searching"}
"""The stages by the name of their folder, and what their process is doing; `generate` holds the run itself."""


@contextlib.contextmanager
def hold_stage(run: RunDirectory, stage: str) -> Iterator[Lease]:
    """Owns a stage of a run for the time of a block, in which the lease is to be beaten.

    The lock of the folder tells at once that another has it, also where that one is on this host; the lease tells it
    between hosts whose file system keeps locks to each of them. Raises UsageError naming the owner.
    """
    folder = run.path / stage
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder, READERS[stage]), hold_lease(run, stage) as lease:
        yield lease


@contextlib.contextmanager
def stages_at_rest(run: RunDirectory) -> Iterator[None]:
    """Keeps these stages from beginning. Raises UsageError naming the process where one of them goes on."""
    with contextlib.ExitStack() as held:
        for stage, doing in READERS.items():
            folder = run.path / stage
            if folder.is_dir() and not folder.is_symlink():
                held.enter_context(alone_in(folder, doing))
            owner = read_owner(run, stage=stage)
            if owner is not None and owner[1]:
                raise UsageError(
                    f"another process is {doing} this run ({owner[0]})",
                    where=str(run.path),
                    try_=f"xpshpc status {run.path}; or stop that process first",
                )
        yield
