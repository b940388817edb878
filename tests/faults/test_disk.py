"""A full disk: work pauses, no allowance is spent, no shard is torn, and it goes on when there is room."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.invariants import attempts_of, check_complete, check_plan_is_covered
from tests.sources import numbers_job
from xpshpc.config import JobFile
from xpshpc.errors import EnvironmentFault
from xpshpc.events import Event, read_events
from xpshpc.generate.events import DiskFull
from xpshpc.generate.generate import generate
from xpshpc.generate.policy import Patience
from xpshpc.run_directory import RunDirectory
from xpshpc.store.verify import verify

pytestmark = pytest.mark.faults

SIZE = 8 * 2**20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    mount = tmp_path / "disk"
    mount.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(mount)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here (it needs root): {mounted.stderr.strip()}")
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


def big_job() -> JobFile:
    """Ten shards of about 0.2 MB each."""
    return numbers_job(640, 64, 32, channels=1024, allowances={"worker_lost": 0, "silent": 0, "crash": 0})


def fill(mount: Path, leave: int) -> Path:
    filler = mount / "filler"
    with filler.open("wb") as file:
        file.truncate(0)
        free = SIZE - sum(entry.stat().st_blocks * 512 for entry in mount.rglob("*") if entry.is_file())
        file.write(bytes(max(free - leave, 0)))
    return filler


def test_it_waits_for_room_and_goes_on_without_a_charge(disk: Path, tmp_path: Path) -> None:
    run = RunDirectory(disk / "run")
    fillers: list[Path] = []
    waits = 0

    def squeeze(event: Event) -> None:
        nonlocal waits
        if not fillers and type(event).__name__ == "WorkersStarted":
            fillers.append(fill(disk, leave=600_000))
        if isinstance(event, DiskFull):
            waits += 1
            if waits == 3:
                fillers[0].unlink()

    result = generate(big_job(), run, workers=2, on_event=squeeze, patience=Patience(0.1, 0.2, 60))
    assert waits >= 3
    assert set(result.failures) == {"disk_full"}
    assert {attempt.cause for shard in range(10) for attempt in attempts_of(run, shard)} == {"disk_full"}
    check_complete(run, big_job())
    assert sum(event["event"] == "ShardCommitted" for event in read_events(run.events)) == 10


def test_when_patience_is_at_its_end_what_is_there_is_whole(disk: Path) -> None:
    run = RunDirectory(disk / "run")
    fillers: list[Path] = []

    def squeeze(event: Event) -> None:
        if not fillers and type(event).__name__ == "WorkersStarted":
            fillers.append(fill(disk, leave=600_000))

    with pytest.raises(EnvironmentFault, match="no room on the disk"):
        generate(big_job(), run, workers=2, on_event=squeeze, patience=Patience(0.1, 0.2, 1))
    assert not run.staging.exists()
    check_plan_is_covered(run)
    found = verify(run, big_job())
    assert not [bad for bad in found.bad if bad.shard is not None]
    fillers[0].unlink()
    generate(big_job(), run, workers=2)
    check_complete(run, big_job())


def test_too_small_a_disk_is_refused_before_any_work(disk: Path) -> None:
    run = RunDirectory(disk / "run")
    with pytest.raises(EnvironmentFault, match="GB are free") as refused:
        generate(numbers_job(64 * 1000, 64, 32, channels=1024), run, workers=1)
    assert refused.value.exit_code == 5
    assert not list(run.data.glob("*/c.*"))
