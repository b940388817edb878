"""What a search costs beyond its trainings: deciding, starting a process for each trial, journal and best network."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.table import Row
from xpshpc.config import JobFile, validate_job
from xpshpc.generate.generate import generate
from xpshpc.run_directory import RunDirectory
from xpshpc.search.result import SearchResult
from xpshpc.search.room import Room
from xpshpc.search.search import search

_ROOM = Room(ranks=1)


def run(scale: float) -> list[Row]:
    """Rows of this benchmark; `scale` 1 trains eight small networks, one after another."""
    trials = max(2, round(8 * scale))
    with tempfile.TemporaryDirectory() as folder:
        job_file = _job(Path(folder), trials)
        data = RunDirectory(Path(folder) / "run")
        generate(job_file, data, workers=1)
        began = time.perf_counter()
        result = search(data, job_file, _ROOM)
        wall_s = time.perf_counter() - began
        began = time.perf_counter()
        search(data, job_file, _ROOM)
        again_s = time.perf_counter() - began
    training_s = _training_s(result)
    return [
        Row("search overhead a trial", (wall_s - training_s) / trials, "s", "< 2"),
        Row("  its training, start of the rank included", training_s / trials, "s"),
        Row(f"finding that {trials} trials are done", again_s, "s"),
    ]


def _job(folder: Path, trials: int) -> JobFile:
    rates = [1e-3 * 1.1**place for place in range(trials)]
    tables = {
        "name": "search",
        "seed": 1,
        "generate": {"samples": 512, "shard_samples": 64, "inner_chunk_samples": 64},
        "split": {"validation": 0.2, "held_out": 0.1},
        "train": {"network": "vanilla_cnn", "epochs": 2, "global_batch": 64},
        "search": {"parameters": {"train.learning_rate": rates}},
        "spectra": {"instrument": {"channels": 128}},
    }
    return validate_job(tables, where="benchmark", folder=folder)


def _training_s(result: SearchResult) -> float:
    """Seconds for which the trainings held their cores, as each attempt measured for itself."""
    return sum(outcome.core_hours for outcome in result.outcomes.values()) * 3600 / _ROOM.cores
