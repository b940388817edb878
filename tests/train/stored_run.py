"""Runs with a small, real data set in them, for training on."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.config import JobFile, validate_job
from xpshpc.run_directory import RunDirectory, save_job
from xpshpc.source import Source
from xpshpc.store.commit import clear_staging, commit_shard, make_private_folder
from xpshpc.store.layout import VALID
from xpshpc.store.prepare import prepare_store
from xpshpc.store.record import CommitRecord, Quarantined

SMALL_NETWORK = {"filters_1": 4, "kernel_1": 9, "filters_2": 4, "kernel_2": 5, "features": 16}

Spoil = Callable[[int, dict[str, NDArray[Any]]], None]


def small_job(
    folder: Path,
    *,
    samples: int = 400,
    shard_samples: int = 32,
    counts: str = "uint16",
    train_samples: int | None = None,
    **train: Any,
) -> JobFile:
    """A job of short spectra of three elements; `train_samples` is the key `samples` of [train]."""
    if train_samples is not None:
        train["samples"] = train_samples
    tables: Mapping[str, Any] = {
        "name": "small",
        "seed": 5,
        "generate": {"samples": samples, "shard_samples": shard_samples, "inner_chunk_samples": 16},
        "split": {"validation": 0.2, "held_out": 0.1},
        "train": {"epochs": 3, "global_batch": 48, "parameters": SMALL_NETWORK, **train},
        "spectra": {
            "samples": {"elements": ["C", "O", "Cu"], "elements_per_sample": [1, 2]},
            "instrument": {"channels": 128, "counts": counts},
        },
    }
    return validate_job(tables, where="test", folder=folder)


@cache
def source_of(tables: str) -> Source:
    """The source of a job. Its simulator takes longer to build than a few hundred samples to make."""
    job_file = validate_job(json.loads(tables), where="test", folder=Path())
    job = job_file.job
    return job_file.domain.source(job.generate.source, job_file.settings, job.generate.options, job.seed)


def store_run(
    folder: Path,
    job_file: JobFile,
    *,
    quarantined: Mapping[int, int] | None = None,
    spoil: Spoil = lambda shard, rows: None,
    leave_out: frozenset[int] = frozenset(),
    source: Source | None = None,
) -> RunDirectory:
    """The run of a job with its shards committed; `quarantined` is how many first samples of a shard are left out.

    `source` makes the samples, if it is not to be built from the job's science and kept for the next run.
    """
    run = RunDirectory(folder / job_file.job.name)
    job = job_file.job
    told = {
        "name": "made",
        "seed": job.seed,
        "generate": job.generate.model_dump(mode="json", exclude_none=True),
        "train": job.train.model_dump(mode="json", include={"network", "parameters", "task"}),
        job_file.domain.section: job_file.settings.model_dump(mode="json", exclude_none=True),
    }
    source = source or source_of(json.dumps(told))
    plan, arrays = prepare_store(run, job_file, source)
    save_job(run, job_file)
    for shard in plan:
        if shard.number in leave_out:
            continue
        out = (quarantined or {}).get(shard.number, 0)
        rows = source.make(shard.indices())
        rows[VALID.name] = np.arange(len(shard)) >= out
        spoil(shard.number, rows)
        staging = make_private_folder(run.staging / str(shard.number))
        left_out = tuple(Quarantined(shard.start + sample, "crash", "test") for sample in range(out))
        commit_shard(
            run,
            arrays,
            shard,
            rows,
            staging,
            lambda files, shard=shard, left_out=left_out: CommitRecord(
                shard.number,
                shard.start,
                shard.stop,
                plan.data_hash,
                files,
                left_out,
                (),
                "",
                0,
                "",
                "",
                {},
                0.1,
                0.0,
            ),
        )
        clear_staging(staging)
    return run
