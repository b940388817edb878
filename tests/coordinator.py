"""A coordinator in a process of its own, so that a test can kill it.

python -m tests.coordinator RUN WORKERS JOB [PROFILE]
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.sources import numbers_job
from xpshpc.cluster.profile import read_profile
from xpshpc.errors import XpshpcError
from xpshpc.generate.generate import generate
from xpshpc.run_directory import RunDirectory

MARK = "XPSHPC_TEST_MARK"
ROOT = Path(__file__).parent.parent


@dataclass
class Coordinator:
    """A running coordinator; `mark` is in the environment of all its descendants."""

    process: subprocess.Popen[str]
    mark: str

    def descendants(self) -> list[psutil.Process]:
        """The processes that carry its mark and live, itself left out."""
        return [process for process in marked(self.mark) if process.pid != self.process.pid]


@contextmanager
def start_coordinator(run: Path, workers: int = 2, *, profile: Path | None = None, **job: Any) -> Iterator[Coordinator]:
    """Starts `generate` on a job of the test science; whatever is left of it at the end is killed."""
    mark = uuid.uuid4().hex
    process = subprocess.Popen(
        coordinator_command(run, workers, profile, **job),
        cwd=ROOT,
        env={**os.environ, MARK: mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Coordinator(process, mark)
    finally:
        process.kill()
        process.communicate()
        for left in marked(mark):
            with suppress(psutil.NoSuchProcess):
                left.kill()


def coordinator_command(run: Path, workers: int, profile: Path | None = None, **job: Any) -> list[str]:
    """The command that is a coordinator, to be run in ROOT."""
    command = [sys.executable, "-m", "tests.coordinator", str(run), str(workers), json.dumps(job)]
    return command if profile is None else [*command, str(profile)]


def marked(mark: str) -> list[psutil.Process]:
    """The living processes of a mark."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def heed_interrupts() -> None:
    """Tests that run in the background of a shell ignore Ctrl-C, and so would what they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def wait_until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Waits for something that must come to pass."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def main() -> int:
    run, workers, job = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
    profile = read_profile(sys.argv[4]) if len(sys.argv) > 4 else None
    try:
        result = generate(numbers_job(**job), RunDirectory(run), workers=workers, profile=profile)
    except XpshpcError as error:
        sys.stdout.write(json.dumps(error.as_json()))
        return int(error.exit_code)
    sys.stdout.write(json.dumps(result.as_json()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
