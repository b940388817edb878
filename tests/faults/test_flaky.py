"""Samples that fail now and then: each comes out at last with its own bytes, and only what always fails is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.benches import make_shards
from tests.invariants import (
    check_attempts_follow_the_policy,
    check_complete,
    check_invariants,
    check_second_run_does_no_work,
    store_bytes,
)
from tests.sources import Behaviour, Fault, numbers_job
from xpshpc.generate.generate import generate
from xpshpc.run_directory import RunDirectory

pytestmark = pytest.mark.faults

SAMPLES = 800
SHARE = 0.05
POISON = 333


def flaky(*behaviours: Behaviour) -> tuple[Fault, ...]:
    """One fault each for every twentieth sample, scattered, its behaviours in turn."""
    struck = np.random.default_rng(20).choice(SAMPLES, int(SHARE * SAMPLES), replace=False)
    return tuple(
        Fault(sample=int(sample), behaviour=behaviours[place % len(behaviours)], times=1)
        for place, sample in enumerate(struck)
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    run = RunDirectory(tmp_path_factory.mktemp("undisturbed") / "run")
    make_shards(run, numbers_job(SAMPLES, 80, 40), range(10))
    return store_bytes(run)


@pytest.mark.parametrize("behaviours", [("raise", "nan"), ("raise", "nan", "shape", "kill", "names", "dtype")])
def test_of_five_percent_flaky_samples_none_is_lost(
    tmp_path: Path, undisturbed: dict[str, str], behaviours: tuple[Behaviour, ...]
) -> None:
    """Shards of eighty hold more flaky samples than a shard has allowances."""
    run, ledger = RunDirectory(tmp_path / "run"), tmp_path / "ledger"
    ledger.mkdir()
    faults = flaky(*behaviours)
    job = numbers_job(SAMPLES, 80, 40, faults=faults, ledger=ledger)
    result = generate(job, run, workers=2)
    assert len(list(ledger.iterdir())) == len(faults) == 40
    assert (result.committed, result.quarantined) == (SAMPLES, 0)
    check_invariants(run, job, undisturbed)


def test_among_flaky_samples_the_poison_one_is_found(tmp_path: Path) -> None:
    run, ledger = RunDirectory(tmp_path / "run"), tmp_path / "ledger"
    ledger.mkdir()
    faults = (*flaky("raise", "nan"), Fault(sample=POISON, behaviour="raise"))
    job = numbers_job(SAMPLES, 80, 40, faults=faults, ledger=ledger)
    result = generate(job, run, workers=2)
    assert (result.committed, result.quarantined) == (SAMPLES - 1, 1)
    check_complete(run, job, quarantined=(POISON,))
    check_attempts_follow_the_policy(run, job)
    check_second_run_does_no_work(run, job)
