"""`xpshpc retry` says what it would take back, asks, and does exactly that."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_errors import xpshpc
from tests.invariants import store_bytes
from tests.train.stored_run import small_job, store_run
from xpshpc.report.status import read_status
from xpshpc.run_directory import RunDirectory

pytestmark = pytest.mark.programs


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return store_run(tmp_path, small_job(tmp_path, samples=320), quarantined={0: 2, 3: 1})


def test_it_says_what_it_would_do_then_does_it_and_then_has_nothing_to_do(run: RunDirectory, tmp_path: Path) -> None:
    before = store_bytes(run)
    looked = json.loads(xpshpc("retry", run.path, "--quarantined", "--dry-run", "--json", folder=tmp_path).stdout)
    assert (looked["shards"], looked["samples"], looked["causes"], looked["released"]) == ([0, 3], 3, {"crash": 3}, [])
    assert store_bytes(run) == before
    done = json.loads(xpshpc("retry", run.path, "--quarantined", "--yes", "--json", folder=tmp_path).stdout)
    assert done == {**looked, "released": [0, 3]}
    status = read_status(run)
    assert (status.quarantined, status.pending, status.shards_committed) == (0, 64, 8)
    again = xpshpc("retry", run.path, "--quarantined", "--yes", folder=tmp_path)
    assert again.returncode == 0 and "nothing to do" in again.stdout


@pytest.mark.parametrize("arguments", [("--quarantined",), ("--yes",), ("--quarantined", "--cause", "silent", "--yes")])
def test_without_a_clear_word_it_refuses(run: RunDirectory, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    before = store_bytes(run)
    refused = xpshpc("retry", run.path, *arguments, folder=tmp_path)
    assert refused.returncode == 2 and "try: xpshpc retry" in refused.stderr
    assert store_bytes(run) == before


@pytest.mark.parametrize(("answer", "pending"), [("n\n", 0), ("\n", 0), ("y\n", 64)])
def test_on_a_terminal_it_shows_the_counts_and_asks(run: RunDirectory, answer: str, pending: int) -> None:
    terminal, side = pty.openpty()
    os.write(terminal, answer.encode())
    done = subprocess.run(
        [sys.executable, "-m", "xpshpc", "retry", str(run.path), "--quarantined"],
        stdin=side, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    os.close(terminal)
    os.close(side)
    assert done.returncode == 0, done.stderr
    assert "3 samples in quarantine (crash 3) in 2 shards" in done.stdout
    assert read_status(run).pending == pending
