"""The tables [generate] and [split] of a job: how many samples, how they are stored, which are kept from training."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from xpshpc.config.section import Section


class Allowances(Section):
    """How often a shard may fail for each cause before its bad samples are quarantined."""

    worker_lost: int = Field(10, ge=0, description="the worker's process or node died")
    silent: int = Field(3, ge=0, description="no heartbeat for `silence_s`")
    crash: int = Field(2, ge=0, description="the source raised an error")
    bad_output: int = Field(2, ge=0, description="NaN, wrong shape or overflow in what the source gave")


class Generate(Section):
    """How many samples, and how they are stored."""

    source: str = "embedded"
    samples: int = Field(gt=0, le=10**10)
    shard_samples: int = Field(2048, gt=0, le=2**20, description="samples in one shard: one task, one file an array")
    inner_chunk_samples: int = Field(256, gt=0, description="samples in one separately readable, checksummed chunk")
    workers: int | None = Field(None, gt=0, description="worker processes; unset: as the profile says")
    window: int = Field(2, gt=0, description="shards handed out ahead, for each worker")
    silence_s: float = Field(30.0, gt=0, description="seconds without a heartbeat after which a worker is killed")
    allowances: Allowances = Allowances()
    options: dict[str, Any] = Field(default_factory=dict, description="the table of the source's own name")

    @model_validator(mode="before")
    @classmethod
    def _take_source_table(cls, data: Any) -> Any:
        if isinstance(data, dict):
            source = data.get("source", "embedded")
            if isinstance(source, str) and isinstance(data.get(source), dict) and source not in cls.model_fields:
                data = {**data, "options": data[source]}
                del data[source]
        return data

    @model_validator(mode="after")
    def _whole_chunks(self) -> Generate:
        if self.shard_samples % self.inner_chunk_samples:
            raise ValueError(
                f"shard_samples ({self.shard_samples}) must be a multiple of "
                f"inner_chunk_samples ({self.inner_chunk_samples})"
            )
        return self


class Split(Section):
    """Shares of the shards kept from training: `validation` is watched during it, `held_out` is for evaluation only."""

    validation: float = Field(0.1, gt=0, lt=1)
    held_out: float = Field(0.1, gt=0, lt=1)

    @model_validator(mode="after")
    def _something_left(self) -> Split:
        if self.validation + self.held_out >= 1:
            raise ValueError("validation + held_out must leave something to train on (sum < 1)")
        return self
