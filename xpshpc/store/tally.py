"""Sums over the records of a run, known within a second however many there are.

A record is read once: the sums over those that have been read are kept in a file beside the logs, with a flag for each
shard they hold. The file is a cache and nothing else. Whoever takes records back calls `forget_sums`, which any later
reader survives by reading again; a reader that overlaps with a change of owner does not keep what it read.
"""

from __future__ import annotations

import base64
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xpshpc.run_directory import RunDirectory, write_atomically
from xpshpc.store.lease import read_owner
from xpshpc.store.manifest import Manifest, Tally
from xpshpc.store.record import read_record

PATIENCE_S = 1.0
KEPT_FROM = 5000
"""Records that are read anew each time; more are worth a file."""

_SEED = 0


@dataclass(frozen=True)
class Sums:
    """Sums over the committed shards: `read` of the `committed` records are in them, the others are taken as alike.

    The number of samples, those in quarantine included, is exact always; everything else if `exact`.
    """

    tally: Tally
    read: int
    committed: int

    @property
    def exact(self) -> bool:
        return self.read == self.committed


def read_sums(
    run: RunDirectory,
    manifest: Manifest,
    *,
    patience_s: float = PATIENCE_S,
    clock: Callable[[], float] = time.monotonic,
) -> Sums:
    """The sums over a run's records, reading those not read before for at most `patience_s` seconds.

    What is not read by then is estimated from an even choice of shards; each call knows more than the one before.
    Raises VerificationError if a record cannot be read.
    """
    began, owner = clock(), read_owner(run)
    known, tally = _read_cache(run, manifest)
    before = tally.shards
    unread = np.flatnonzero(manifest.committed & ~known)
    for number in np.random.default_rng(_SEED).permutation(unread):
        record = read_record(run, int(number))
        if record is not None:
            tally = tally.add(record)
            known[number] = True
        if clock() - began >= patience_s:
            break
    sums = _extend(manifest, known, tally)
    worth_keeping = not sums.exact or sums.committed >= KEPT_FROM
    if worth_keeping and sums.read > before and read_owner(run) == owner:  # only an owner takes records back
        _write_cache(run, manifest, known, tally)
    return sums


def forget_sums(run: RunDirectory) -> None:
    """Records are taken back: what was summed over them does not hold any more."""
    _cache_file(run).unlink(missing_ok=True)


def _extend(manifest: Manifest, known: NDArray[np.bool_], tally: Tally) -> Sums:
    """The sums over all committed shards from those of the known ones."""
    committed = int(manifest.committed.sum())
    if tally.shards in (0, committed):
        return Sums(tally, tally.shards, committed)
    here, there = _samples(manifest, known), _samples(manifest, manifest.committed)
    factor = there / here
    quarantined = round(tally.quarantined * factor)
    extended = Tally(
        committed,
        there - quarantined,
        quarantined,
        round(tally.bytes * factor),
        round(tally.failed_attempts * factor),
        tally.core_s * factor,
    )
    return Sums(extended, tally.shards, committed)


def _samples(manifest: Manifest, flags: NDArray[np.bool_]) -> int:
    """Samples of the flagged shards; all shards of a plan are of one length but the last."""
    plan = manifest.plan
    short = plan.shard_samples - len(plan[len(plan) - 1])
    return int(flags.sum()) * plan.shard_samples - (short if flags[-1] else 0)


def _read_cache(run: RunDirectory, manifest: Manifest) -> tuple[NDArray[np.bool_], Tally]:
    nothing = np.zeros(len(manifest.plan), dtype=bool), Tally()
    try:
        cached = json.loads(_cache_file(run).read_bytes())
        packed = np.frombuffer(base64.b64decode(cached["shards"]), dtype=np.uint8)
        known = np.unpackbits(packed, count=len(manifest.plan)).astype(bool)
        tally = Tally(**cached["tally"])
    except (OSError, ValueError, KeyError, TypeError):
        return nothing
    sound = cached.get("data_hash") == manifest.plan.data_hash and int(known.sum()) == tally.shards
    return (known, tally) if sound and not (known & ~manifest.committed).any() else nothing


def _write_cache(run: RunDirectory, manifest: Manifest, known: NDArray[np.bool_], tally: Tally) -> None:
    flags = base64.b64encode(np.packbits(known).tobytes()).decode()
    cached = {"data_hash": manifest.plan.data_hash, "shards": flags, "tally": asdict(tally)}
    with contextlib.suppress(OSError):  # a run that is only looked at may be another's
        write_atomically(_cache_file(run), json.dumps(cached).encode())


def _cache_file(run: RunDirectory) -> Path:
    return run.logs / "tally.json"
