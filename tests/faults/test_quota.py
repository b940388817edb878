"""A used-up quota: the same pause as on a full disk, and the owner's other files are none of its business."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benches import make_shards
from tests.invariants import attempts_of, check_invariants, check_plan_is_covered, store_bytes
from tests.sources import numbers_job
from xpshpc.config import JobFile
from xpshpc.errors import EnvironmentFault
from xpshpc.events import Event
from xpshpc.generate.events import DiskFull, WorkersStarted
from xpshpc.generate.generate import generate
from xpshpc.generate.policy import Patience
from xpshpc.run_directory import RunDirectory

pytestmark = pytest.mark.faults

DISK_BYTES = 256 * 2**20
QUOTA_BYTES = 8 * 2**20
ROOM_BYTES = 700_000


def administer(*command: str | Path) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no file system with a quota can be made here (it needs root): {done.stderr.strip()}")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A folder that may hold 8 MiB on a disk that has room for much more."""
    if shutil.which("mkfs.btrfs") is None:
        pytest.skip("no file system with a quota can be made here: btrfs-progs is not installed")
    image, mount = tmp_path / "image", tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)
    mount.mkdir()
    administer("mkfs.btrfs", "--quiet", "--mixed", image)
    administer("mount", "-o", "loop", image, mount)
    try:
        administer("btrfs", "quota", "enable", mount)
        administer("btrfs", "subvolume", "create", mount / "home")
        administer("btrfs", "qgroup", "limit", str(QUOTA_BYTES), mount / "home")
        yield mount / "home"
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


def big_job() -> JobFile:
    """Ten shards of about 0.2 MB each."""
    return numbers_job(640, 64, 32, channels=1024, allowances={"worker_lost": 0, "silent": 0, "crash": 0})


def use_up(home: Path) -> Path:
    """Fills the quota until hardly anything more is taken."""
    filler = home / "filler"
    with filler.open("wb", buffering=0) as file:
        file.write(os.urandom(QUOTA_BYTES - ROOM_BYTES))
        os.fsync(file.fileno())
    return filler


def test_the_quota_is_a_real_one(home: Path) -> None:
    with pytest.raises(OSError) as refused, (home / "large").open("wb", buffering=0) as file:
        for _ in range(2 * QUOTA_BYTES // 2**20):
            file.write(os.urandom(2**20))
            os.fsync(file.fileno())
    assert refused.value.errno == errno.EDQUOT
    assert shutil.disk_usage(home).free > 2 * QUOTA_BYTES


def test_it_waits_for_room_and_goes_on_without_a_charge(home: Path, tmp_path: Path) -> None:
    run = RunDirectory(home / "run")
    fillers: list[Path] = []
    waits = 0

    def squeeze(event: Event) -> None:
        nonlocal waits
        if isinstance(event, WorkersStarted) and not fillers:
            fillers.append(use_up(home))
        if isinstance(event, DiskFull):
            waits += 1
            if waits == 3:
                fillers[0].unlink()

    result = generate(big_job(), run, workers=2, on_event=squeeze, patience=Patience(0.1, 0.2, 60))
    assert waits >= 3
    assert set(result.failures) == {"disk_full"}
    causes = [attempt for shard in range(10) for attempt in attempts_of(run, shard)]
    assert {attempt.cause for attempt in causes} == {"disk_full"}
    assert any(os.strerror(errno.EDQUOT) in attempt.why for attempt in causes)
    whole = RunDirectory(tmp_path / "whole")
    make_shards(whole, big_job(), range(10))
    check_invariants(run, big_job(), store_bytes(whole))


def test_when_patience_is_at_its_end_the_next_call_completes_it(home: Path, tmp_path: Path) -> None:
    run = RunDirectory(home / "run")
    fillers: list[Path] = []

    def squeeze(event: Event) -> None:
        if isinstance(event, WorkersStarted) and not fillers:
            fillers.append(use_up(home))

    with pytest.raises(EnvironmentFault, match="quota is used up"):
        generate(big_job(), run, workers=2, on_event=squeeze, patience=Patience(0.1, 0.2, 1))
    assert not run.staging.exists()
    check_plan_is_covered(run)
    fillers[0].unlink()
    generate(big_job(), run, workers=2)
    whole = RunDirectory(tmp_path / "whole")
    make_shards(whole, big_job(), range(10))
    check_invariants(run, big_job(), store_bytes(whole))
