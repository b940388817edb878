"""The clock is stepped by ten minutes while a data set is made: deadlines, leases and silences do not notice."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.benches import make_shards
from tests.coordinator import start_coordinator, wait_until
from tests.invariants import check_invariants, store_bytes
from tests.sources import numbers_job
from xpshpc.cluster.process import is_alive, process_of
from xpshpc.run_directory import RunDirectory
from xpshpc.store.identity import read_identity
from xpshpc.store.lease import read_owner
from xpshpc.store.manifest import read_manifest
from xpshpc.store.record import CommitRecord

pytestmark = pytest.mark.faults

JOB: dict[str, Any] = {"samples": 320, "piece_s": 0.2, "silence_s": 30.0}
STEP_S = 600


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that says by how many seconds the time of day is off, in programs that are started from now on."""
    library, file = tmp_path / "stepped_clock.so", tmp_path / "clock"
    built = [compiler for compiler in ("cc", "gcc", "clang") if shutil.which(compiler)]
    if not built:
        pytest.skip("the clock of single programs cannot be set here: there is no C compiler")
    source = Path(__file__).with_name("stepped_clock.c")
    subprocess.run([built[0], "-O2", "-shared", "-fPIC", "-Wall", "-Werror", source, "-o", library], check=True)
    file.write_bytes(struct.pack("q", 0))
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("STEPPED_CLOCK", str(file))
    return file


def set_clock(file: Path, off_s: int) -> None:
    """Steps the clock at once, to so many seconds off the true time."""
    with file.open("r+b") as offset:
        offset.write(struct.pack("q", off_s))


def records(run: RunDirectory) -> list[CommitRecord]:
    identity = read_identity(run)
    return [] if identity is None else list(read_manifest(run, identity.plan()).records())


@pytest.mark.parametrize("steps", [(STEP_S, 0), (STEP_S, -STEP_S)])
def test_a_stepped_clock_fails_no_attempt_and_loses_no_lease(
    tmp_path: Path, clock: Path, monkeypatch: pytest.MonkeyPatch, steps: tuple[int, int]
) -> None:
    run = RunDirectory(tmp_path / "run")
    with start_coordinator(run.path, **JOB) as coordinator:
        for commits, off_s in zip((4, 10), steps, strict=True):
            wait_until(lambda commits=commits: len(records(run)) >= commits or coordinator.process.poll() is not None)
            assert coordinator.process.poll() is None
            set_clock(clock, off_s)
        owner = read_owner(run)
        assert owner is not None and owner[1] and is_alive(process_of(coordinator.process.pid))
        out, err = coordinator.process.communicate(timeout=60)
        assert coordinator.process.returncode == 0, err
    answer = json.loads(out)
    assert (answer["committed"], answer["failures"]) == (320, {})
    assert 0 < answer["wall_s"] < STEP_S / 2
    made = records(run)
    off = [record.finished for record in made]
    assert max(off) - min(off) > STEP_S * 0.9  # the step was felt
    assert all(0 <= record.seconds < STEP_S / 2 for record in made)
    monkeypatch.delenv("LD_PRELOAD")
    whole = RunDirectory(tmp_path / "whole")
    make_shards(whole, numbers_job(**JOB), range(20))
    check_invariants(run, numbers_job(**JOB), store_bytes(whole))
