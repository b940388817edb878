"""A whole job: its tables, the science whose section it has, and the file read and validated before anything starts."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from xpshpc.config.generating import Generate, Split
from xpshpc.config.searching import Search
from xpshpc.config.section import Section, nearest, tell_faults
from xpshpc.config.training import Evaluate, Train
from xpshpc.domain import Domain, Problem, installed_domains
from xpshpc.errors import UsageError
from xpshpc.source import CountedSource, Source

_Model = TypeVar("_Model", bound=BaseModel)


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

    def problem(self) -> Problem:
        """What is learned, as [train.task] says."""
        return self.domain.problem(self.settings, self.job.train.task)

    def source(self) -> Source:
        """What makes the samples, as [generate] says. Raises UsageError where it cannot make so many."""
        generate = self.job.generate
        source = self.domain.source(generate.source, self.settings, generate.options, self.job.seed)
        return source.counted(generate.samples) if isinstance(source, CountedSource) else source

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
            problem = domain.problem(settings, job.train.task)
            problem.check_network(job.train.network, job.train.parameters)
            JobFile(job, domain, settings, folder).source()
        except UsageError as error:
            placed = f"{error.where}: {error.what}" if error.where else error.what
            faults.append(f"{placed} (try {error.try_})" if error.try_ else placed)
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
        faults += tell_faults(error, model, prefix=prefix, more_keys=extra_keys)
        return None
