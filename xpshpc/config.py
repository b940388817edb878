"""The job file: read, completed with defaults and validated whole before anything starts."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from xpshpc.domain import Domain, installed_domains
from xpshpc.errors import UsageError

_Model = TypeVar("_Model", bound=BaseModel)


class Section(BaseModel):
    """A table of a job file or profile: unknown keys, infinities and NaN are errors, values cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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


class Train(Section):
    """A network and its training over Horovod ranks."""

    network: str = "vanilla_cnn"
    parameters: dict[str, Any] = Field(default_factory=dict, description="the network's own sizes")
    epochs: int = Field(10, gt=0)
    global_batch: int = Field(256, gt=0, description="samples a step, over all ranks")
    learning_rate: float = Field(1e-3, gt=0)
    warmup_epochs: float = Field(1.0, ge=0)
    gradient_clip: float | None = Field(None, gt=0, description="largest global norm of the reduced gradient")
    buffer_shards: int = Field(2, gt=0, description="shards whose samples are shuffled together in memory")
    keep_checkpoints: int = Field(2, gt=0)
    ranks: int | None = Field(None, gt=0, description="Horovod ranks; unset: as the profile says")
    seed: int | None = Field(None, ge=0, lt=2**63, description="first weights and order of samples; unset: the job's")


class Evaluate(Section):
    """Scores on the held-out shards."""

    batch: int = Field(512, gt=0)
    frechet: bool = Field(True, description="Fréchet distance between training and held-out samples")
    frechet_samples: int = Field(4096, gt=1, description="training samples that enter the Fréchet distance")


class Budget(Section):
    """When a search ends before all of its trials are done."""

    trials: int | None = Field(None, gt=0, description="most trials in all")
    until: time | None = Field(None, description="local time, as 07:00: no trial begins that would end after it")


class TrialAllowances(Section):
    """How often a trial may fail for each cause and be tried again. One that diverges is never repeated."""

    killed: int = Field(5, ge=0, description="a signal or the loss of a node ended a rank")
    crash: int = Field(1, ge=0, description="a rank ended with an error of its own")
    environment: int = Field(3, ge=0, description="no rank could be started; after so many in a row the search stops")


class Search(Section):
    """Trainings with other settings on the same data, compared by what they reach on the validation shards."""

    parameters: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(
        min_length=1, description="values to try by dotted key of [train]: every combination is one point of the grid"
    )
    repeats: int = Field(1, gt=0, le=1000, description="trainings of each point, each with a training seed of its own")
    metric: str = Field("loss", description="validation metric by which trials are compared")
    goal: Literal["smallest", "largest"] | None = Field(None, description="unset: as the metric's name tells")
    budget: Budget = Budget()
    allowances: TrialAllowances = TrialAllowances()

    @model_validator(mode="before")
    @classmethod
    def _join_bare_keys(cls, data: Any) -> Any:
        # TOML reads a dotted key without quotation marks as tables.
        if isinstance(data, dict) and isinstance(data.get("parameters"), dict):
            data = {**data, "parameters": dict(_dotted(data["parameters"]))}
        return data


class Job(Section):
    """A whole job. `domain` is the section of the science, by its own model."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    seed: int = Field(ge=0, lt=2**63)
    generate: Generate
    split: Split = Split()
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    search: Search | None = None

    @property
    def training_seed(self) -> int:
        """What decides first weights and the order of samples."""
        return self.seed if self.train.seed is None else self.train.seed


@dataclass(frozen=True)
class JobFile:
    """A validated job: the engine's sections, the domain, the domain's settings, and where the file stood."""

    job: Job
    domain: Domain
    settings: BaseModel
    folder: Path

    def resolved(self) -> dict[str, Any]:
        """Everything with its defaults filled in, as TOML can hold it (no None)."""
        tables = self.job.model_dump(mode="json", exclude_none=True)
        tables[self.domain.section] = self.settings.model_dump(mode="json", exclude_none=True)
        generate = tables["generate"]
        generate[generate["source"]] = generate.pop("options")
        if not generate[generate["source"]]:
            del generate[generate["source"]]
        return tables


def read_job(path: Path, overrides: Mapping[str, Any] | None = None) -> JobFile:
    """Reads a job file. `overrides` maps dotted keys ("train.epochs") to values that win over the file's.

    Raises UsageError naming every fault at once, each with the nearest known key where a key is unknown.
    """
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        raise UsageError("no such job file", where=str(path), try_="xpshpc run jobs/demo.toml") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the job file: {error}", where=str(path)) from None
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"not valid TOML: {error}", where=str(path)) from None
    for dotted, value in (overrides or {}).items():
        set_dotted(tables, dotted, value)
    return validate_job(tables, where=str(path), folder=path.resolve().parent)


def set_dotted(tables: dict[str, Any], dotted: str, value: Any) -> None:
    """Sets `a.b.c` in nested tables, making what is missing."""
    *parents, leaf = dotted.split(".")
    for parent in parents:
        tables = tables.setdefault(parent, {})
        if not isinstance(tables, dict):
            raise UsageError(f"`{parent}` is a value, not a table", where=dotted)
    tables[leaf] = value


def _dotted(tables: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The values of nested tables by their dotted keys."""
    for key, value in tables.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{inner}", item) for inner, item in _dotted(value))
        else:
            yield key, value


def validate_job(tables: Mapping[str, Any], *, where: str, folder: Path) -> JobFile:
    """Validates the tables of a job; see `read_job`."""
    domains = installed_domains()
    sections = [name for name in domains if name in tables]
    if len(sections) != 1:
        named = " and ".join(f"[{name}]" for name in sections) or "none"
        known = ", ".join(f"[{name}]" for name in sorted(domains))
        raise UsageError(f"a job has the section of exactly one science ({known}); found {named}", where=where)
    domain = domains[sections[0]]
    faults: list[str] = []
    engine = {key: value for key, value in tables.items() if key != domain.section}
    job = _validated(Job, engine, "", faults, extra_keys=[domain.section])
    settings = _validated(domain.settings, tables[domain.section], domain.section, faults, folder=folder)
    if job is not None and job.generate.source not in domain.sources():
        faults.append(
            f"generate.source: unknown source {job.generate.source!r}{nearest(job.generate.source, domain.sources())}"
        )
    if job is not None and settings is not None and not faults:
        try:
            problem = domain.problem(settings)
            problem.check_network(job.train.network, job.train.parameters)
            domain.source(job.generate.source, settings, job.generate.options, job.seed)
        except UsageError as error:
            faults.append(f"{error.where}: {error.what}" if error.where else error.what)
    if faults:
        raise UsageError(
            "\n  ".join(["the job file has faults:", *faults]), where=where, try_=f"correct {where} and call again"
        )
    assert job is not None and settings is not None
    return JobFile(job, domain, settings, folder)


def _validated(
    model: type[_Model],
    data: object,
    prefix: str,
    faults: list[str],
    *,
    extra_keys: Iterable[str] = (),
    folder: Path | None = None,
) -> _Model | None:
    try:
        return model.model_validate(data, context={"folder": folder})
    except ValidationError as error:
        for fault in error.errors():
            keys = [str(key) for key in fault["loc"]]
            dotted = ".".join([prefix, *keys] if prefix else keys)
            if fault["type"] == "extra_forbidden":
                known = [*known_keys(model, keys[:-1]), *(extra_keys if len(keys) == 1 else ())]
                faults.append(f"{dotted}: unknown key{nearest(keys[-1], known)}")
            else:
                faults.append(f"{dotted or model.__name__}: {fault['msg'].removeprefix('Value error, ')}")
        return None


def known_keys(model: type[BaseModel], path: list[str]) -> list[str]:
    """The keys that the table at `path` inside a model may have."""
    for key in path:
        field = model.model_fields.get(key)
        tables = [kind for kind in _kinds(field.annotation if field else None) if issubclass(kind, BaseModel)]
        if not tables:
            return []
        model = tables[0]
    return list(model.model_fields)


def _kinds(annotation: Any) -> list[type]:
    """The classes that an annotation allows: itself, or the members of a union."""
    return [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]


def nearest(name: str, known: Iterable[str]) -> str:
    """ " — did you mean …?" for a misspelt name, or the list of known names."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f" (did you mean {close[0]!r}?)"
    return f" (known: {', '.join(known)})" if known else ""
