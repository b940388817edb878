"""The data hash follows what decides the bytes, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpshpc.config import read_job
from xpshpc.plan.identity import data_hash

JOB = """
name = "identity"
seed = 1
[generate]
samples = 4096
[spectra]
"""


@pytest.fixture
def job(tmp_path: Path) -> Path:
    path = tmp_path / "job.toml"
    path.write_text(JOB)
    return path


@pytest.mark.parametrize(
    "change",
    [
        {"generate.workers": 7},
        {"generate.window": 9},
        {"generate.silence_s": 5.0},
        {"generate.allowances.crash": 1},
        {"train.epochs": 3},
        {"split.held_out": 0.3},
        {"name": "other"},
        {"spectra.measured.unknown": "SiO2"},
    ],
)
def test_how_and_where_it_is_made_does_not_change_it(job, change):
    assert data_hash(read_job(job, change)) == data_hash(read_job(job))


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 2},
        {"generate.samples": 4097},
        {"generate.shard_samples": 1024},
        {"generate.inner_chunk_samples": 128},
        {"spectra.instrument.source": "MgKa", "spectra.instrument.window_eV": [400, 1253]},
        {"spectra.samples.overlayer_A": [0, 20]},
        {"spectra.instrument.counts": "float32"},
    ],
)
def test_what_decides_the_bytes_changes_it(job, change):
    assert data_hash(read_job(job, change)) != data_hash(read_job(job))


def test_of_a_program_only_the_version_decides(job: Path) -> None:
    """Where SESSA is, and how patiently it is watched, changes no byte; another version of it may."""
    sessa = {"generate.source": "sessa", "generate.sessa.executable": "/opt/sessa", "generate.sessa.version": "2.2"}
    first = data_hash(read_job(job, sessa))
    assert first != data_hash(read_job(job))
    patient = {"generate.sessa.executable": "/usr/sessa", "generate.sessa.silence_s": 9.0}
    assert data_hash(read_job(job, sessa | patient)) == first
    assert data_hash(read_job(job, sessa | {"generate.sessa.version": "2.3"})) != first
