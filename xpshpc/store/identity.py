"""Whose data set a run directory holds: `commits/plan.json`, written before anything else."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xpshpc.config import JobFile
from xpshpc.errors import UsageError, VerificationError
from xpshpc.plan.identity import SCHEMA, data_hash
from xpshpc.plan.shards import Plan, plan_shards
from xpshpc.run_directory import RunDirectory

INDECISIVE = ("generate.workers", "generate.window", "generate.silence_s", "generate.allowances")
DIFFERENCES_SHOWN = 8


@dataclass(frozen=True)
class Identity:
    """What a data set is: its hash and cut; `metadata` holds the SHA-256 of each Zarr metadata file."""

    data_hash: str
    samples: int
    shard_samples: int
    inner_chunk_samples: int
    schema: int
    versions: dict[str, str]
    metadata: dict[str, str]

    def plan(self) -> Plan:
        return Plan(self.samples, self.shard_samples, self.data_hash)

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), indent=1).encode() + b"\n"


def identify(job_file: JobFile, versions: Mapping[str, str], metadata: Mapping[str, str]) -> Identity:
    """The identity of the data set that a job makes."""
    generate = job_file.job.generate
    plan = plan_shards(generate, data_hash(job_file))
    return Identity(
        plan.data_hash,
        plan.samples,
        plan.shard_samples,
        generate.inner_chunk_samples,
        SCHEMA,
        dict(versions),
        dict(metadata),
    )


def identity_file(run: RunDirectory) -> Path:
    return run.commits / "plan.json"


def read_identity(run: RunDirectory) -> Identity | None:
    """The identity of the run's data set; None where there is none yet. Raises VerificationError if unreadable."""
    file = identity_file(run)
    try:
        return Identity(**json.loads(file.read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise VerificationError(
            f"the plan of the data set cannot be read: {error}", where=str(file), try_=f"xpshpc clean {run.path}"
        ) from None


def check_owner(run: RunDirectory, job_file: JobFile) -> Identity | None:
    """The identity of the run's data set if it is this job's, None where there is none yet.

    Raises UsageError, naming both hashes and the keys that differ, if the data set belongs to another job.
    """
    found = read_identity(run)
    if found is None:
        if run.data.exists():
            raise UsageError(
                "there is a data.zarr here that no plan speaks of",
                where=str(run.path),
                try_=f"give the job another name, or xpshpc clean {run.path}",
            )
        return None
    wanted = data_hash(job_file)
    if found.data_hash != wanted:
        differences = _differences(run, job_file)
        raise UsageError(
            "\n  ".join(
                [
                    f"this run holds another job's data (its hash {found.data_hash[:12]}, yours {wanted[:12]})",
                    *differences,
                ]
            ),
            where=str(run.path),
            try_=f"give the job another name, or xpshpc clean {run.path}",
        )
    return found


def _differences(run: RunDirectory, job_file: JobFile) -> list[str]:
    try:
        old = dict(_flat(tomllib.loads(run.job.read_text())))
    except (OSError, ValueError):
        return []
    new = dict(_flat(job_file.resolved()))
    relevant = ("seed", "generate.", f"{job_file.domain.section}.")
    lines = [
        f"{key}: {old.get(key, 'unset')!r} → {new.get(key, 'unset')!r}"
        for key in sorted(old.keys() | new.keys())
        if key.startswith(relevant) and not key.startswith(INDECISIVE) and old.get(key) != new.get(key)
    ]
    if len(lines) > DIFFERENCES_SHOWN:
        lines[DIFFERENCES_SHOWN:] = [f"… and {len(lines) - DIFFERENCES_SHOWN} more"]
    return lines or ["the job is the same; the data set was made by a version that stored other bytes"]


def _flat(tables: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tables.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
