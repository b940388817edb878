"""`xpshpc explain` tells a shard's story, to people and to programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_errors import xpshpc
from tests.train.stored_run import small_job, store_run
from xpshpc.run_directory import RunDirectory

pytestmark = pytest.mark.programs


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return store_run(tmp_path, small_job(tmp_path, samples=320), quarantined={2: 1}, leave_out=frozenset({4}))


def test_people_and_programs_are_told_the_same(run: RunDirectory, tmp_path: Path) -> None:
    told = xpshpc("explain", run.path, "--sample", "64", folder=tmp_path).stdout
    answer = json.loads(xpshpc("explain", run.path, "2", "--json", folder=tmp_path).stdout)
    assert (answer["shard"], answer["start"], answer["stop"], answer["state"]) == (2, 64, 96, "committed")
    assert "sample    64: in quarantine: crash, test" in told and "samples 64 to 95, committed" in told
    for file in answer["commit"]["files"].values():
        assert file["sha256"] in told
    assert "shard     4: samples 128 to 159, pending" in xpshpc("explain", run.path, "4", folder=tmp_path).stdout


@pytest.mark.parametrize(("asked", "there"), [(("10",), "shards 0 to 9"), (("--sample", "320"), "samples 0 to 319")])
def test_an_unknown_one_is_refused_with_the_range(
    run: RunDirectory, tmp_path: Path, asked: tuple[str, ...], there: str
) -> None:
    done = xpshpc("explain", run.path, *asked, "--json", folder=tmp_path)
    assert done.returncode == 2 and there in json.loads(done.stdout)["error"]
