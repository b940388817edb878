"""What a data set is: the hash of everything that decides its bytes."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from xpshpc.config import JobFile

SCHEMA = 2
"""Raised when the same job file would give other bytes or another layout."""


def data_hash(job_file: JobFile) -> str:
    """SHA-256 (hex) of the job's parts that decide the stored bytes.

    The number of workers, allowances, training and evaluation leave it as it is: changing them keeps the data.
    """
    resolved = job_file.resolved()
    section = job_file.domain.section
    generate = resolved["generate"]
    decisive = {
        "schema": SCHEMA,
        "seed": resolved["seed"],
        section: job_file.domain.decisive(job_file.settings),
        "generate": {key: generate[key] for key in ("source", "samples", "shard_samples", "inner_chunk_samples")},
    }
    options = job_file.domain.decisive_options(generate["source"], generate.get(generate["source"], {}))
    if options:
        decisive["generate"][generate["source"]] = options
    return hash_json(decisive)


def hash_json(value: Any) -> str:
    """SHA-256 (hex) of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
