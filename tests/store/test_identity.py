"""A run holds one job's data, and says whose when another comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benches import make_shards, open_bench
from tests.invariants import store_bytes
from tests.sources import numbers_job
from xpshpc.errors import UsageError, VerificationError
from xpshpc.plan.identity import data_hash
from xpshpc.run_directory import RunDirectory
from xpshpc.store.identity import check_owner, identity_file, read_identity


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path / "run")


def test_another_jobs_store_is_refused_with_both_hashes_and_the_difference(run: RunDirectory) -> None:
    mine, other = numbers_job(40, seed=1), numbers_job(40, seed=2, channels=17)
    make_shards(run, mine, [0])
    with pytest.raises(UsageError) as refused:
        check_owner(run, other)
    said = str(refused.value)
    assert data_hash(mine)[:12] in said and data_hash(other)[:12] in said
    assert "seed: 1 → 2" in said and "numbers.channels: 16 → 17" in said
    assert "another name" in said


def test_what_does_not_decide_the_bytes_does_not_matter(run: RunDirectory) -> None:
    make_shards(run, numbers_job(40), [0])
    same = numbers_job(40, silence_s=3, allowances={"crash": 9}, piece_s=0.5)
    assert check_owner(run, same) == read_identity(run)


def test_a_store_without_a_plan_is_not_touched(run: RunDirectory) -> None:
    (run.data / "counts").mkdir(parents=True)
    with pytest.raises(UsageError, match="no plan speaks of"):
        open_bench(run, numbers_job(40))


def test_a_store_that_is_gone_is_not_taken_for_complete(run: RunDirectory) -> None:
    make_shards(run, numbers_job(40), [0])
    run.data.rename(run.path / "elsewhere")
    with pytest.raises(VerificationError, match="the store is gone"):
        open_bench(run, numbers_job(40))


def test_killed_between_plan_and_metadata_the_store_is_made_again(run: RunDirectory, tmp_path: Path) -> None:
    job = numbers_job(40)
    whole = RunDirectory(tmp_path / "whole")
    make_shards(whole, job, [])
    open_bench(run, job)
    run.data.rename(tmp_path / "lost")
    make_shards(run, job, [])
    assert store_bytes(run) == store_bytes(whole)


def test_a_torn_plan_is_an_error_that_names_the_file(run: RunDirectory) -> None:
    make_shards(run, numbers_job(40), [])
    identity_file(run).write_text("{")
    with pytest.raises(VerificationError, match=r"plan\.json"):
        check_owner(run, numbers_job(40))
