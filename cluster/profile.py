"""A cluster profile says where a job runs: how many workers and ranks, how they start, where temporary files go."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from xpshpc.cluster.machine import usable_cores
from xpshpc.config import Section, nearest
from xpshpc.errors import UsageError

DEFAULT_PROFILE = "local"
DEFAULT_RANKS = 2


class Profile(Section):
    """One place to run on. What is unset here is left to the job, or to the default."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    kind: Literal["local", "slurm"] = "local"
    workers: Annotated[int, Field(gt=0)] | Literal["cores"] = Field("cores", description="processes that simulate")
    ranks: int = Field(DEFAULT_RANKS, gt=0, description="Horovod ranks that train and evaluate")
    threads_per_rank: Annotated[int, Field(gt=0)] | Literal["share"] = Field(
        "share", description="threads that one rank computes with; share: the cores divided by the ranks"
    )
    launcher: Literal["gloo", "mpirun"] = Field("gloo", description="how ranks are started, and how they speak")
    scratch: str | None = Field(None, description="folder for temporary files, may hold $VARIABLES; unset: $TMPDIR")

    def scratch_folder(self, environment: Mapping[str, str] = os.environ) -> Path | None:
        """Where temporary files go, with ~ and $VARIABLES replaced; None where the profile leaves it to $TMPDIR.

        Raises UsageError if a variable is not set.
        """
        if self.scratch is None:
            return None
        return Path(_expand_variables(self.scratch, environment, where=f"profile {self.name}: scratch")).expanduser()


def built_in_profiles() -> tuple[str, ...]:
    """Names of the profiles that come with the program."""
    folder = files("xpshpc.cluster") / "profiles"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def read_profile(name_or_path: str | Path = DEFAULT_PROFILE) -> Profile:
    """Reads a built-in profile by name, or any profile by the path of its file (one with a slash or `.toml`).

    Raises UsageError for an unknown name, an unreadable file, unknown keys (each with the nearest known one) and bad
    values, all of them in one message.
    """
    text, where = _profile_text(str(name_or_path))
    try:
        profile = Profile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"not valid TOML: {error}", where=where) from None
    except ValidationError as error:
        faults = "\n  ".join(["the profile has faults:", *_faults(error)])
        raise UsageError(faults, where=where, try_=f"correct {where} and call again") from None
    if profile.kind == "slurm":
        raise UsageError(
            "profiles of kind 'slurm' are not run yet; kind 'local' works, also inside an allocation of one node",
            where=f"{where}: kind",
            try_="srun --nodes=1 --exclusive xpshpc run JOB --on local",
        )
    return profile


def resolve_workers(
    flag: int | None, job_value: int | None, profile: Profile, environment: Mapping[str, str] = os.environ
) -> int:
    """Worker processes: the flag, else XPSHPC_WORKERS, else the job's, else the profile's.

    "cores" means one for each core that the affinity mask and the control groups leave to this process.
    Raises UsageError if the flag or the variable is no count.
    """
    return _first_set(flag, "workers", job_value, profile.workers, "cores", usable_cores, environment)


def resolve_ranks(
    flag: int | None, job_value: int | None, profile: Profile, environment: Mapping[str, str] = os.environ
) -> int:
    """Horovod ranks: the flag, else XPSHPC_RANKS, else the job's, else the profile's; UsageError as above."""
    return _first_set(flag, "ranks", job_value, profile.ranks, None, usable_cores, environment)


def resolve_threads(ranks: int, profile: Profile, environment: Mapping[str, str] = os.environ) -> int:
    """Threads of one rank: XPSHPC_THREADS_PER_RANK, else the profile's; "share" is the cores divided by the ranks."""
    return _first_set(
        None,
        "threads_per_rank",
        None,
        profile.threads_per_rank,
        "share",
        lambda: max(1, usable_cores() // ranks),
        environment,
    )


def _first_set(
    flag: int | None,
    key: str,
    job_value: int | None,
    profile_value: int | str,
    word: str | None,
    meaning: Callable[[], int],
    environment: Mapping[str, str],
) -> int:
    """The first of the settings that is set; `word` is the one that stands for a number found by `meaning`."""
    option, variable = f"--{key.replace('_', '-')}", f"XPSHPC_{key.upper()}"
    if flag is not None:
        return _count(str(flag), None, meaning, where=option)
    if environment.get(variable):
        return _count(environment[variable], word, meaning, where=variable)
    if job_value is not None:
        return job_value
    return _count(str(profile_value), word, meaning, where=f"profile: {key}")


def _count(text: str, word: str | None, meaning: Callable[[], int], *, where: str) -> int:
    if word is not None and text == word:
        return meaning()
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) == 0:
        choices = f"a count from 1{f' or {word!r}' if word else ''}"
        raise UsageError(f"{text!r} is not {choices}", where=where, try_=f"set {where} to {choices}")
    return int(text)


def _profile_text(name_or_path: str) -> tuple[str, str]:
    if "/" not in name_or_path and not name_or_path.endswith(".toml"):
        known = built_in_profiles()
        if name_or_path not in known:
            raise UsageError(
                f"unknown profile {name_or_path!r}{nearest(name_or_path, known)}",
                try_=f"--on {known[0]}, or the path of a profile: --on ./mycluster.toml",
            )
        return (files("xpshpc.cluster") / "profiles" / f"{name_or_path}.toml").read_text(), f"profile {name_or_path}"
    try:
        return Path(name_or_path).read_bytes().decode(), name_or_path
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        known_names = ", ".join(built_in_profiles())
        raise UsageError(
            f"cannot read the profile: {why}", where=name_or_path, try_=f"built-in profiles: {known_names}"
        ) from None


def _faults(error: ValidationError) -> list[str]:
    faults: dict[str, str] = {}
    for fault in error.errors():
        key = str(fault["loc"][0]) if fault["loc"] else "profile"
        if fault["type"] == "extra_forbidden":
            text = f"{key}: unknown key{nearest(key, Profile.model_fields)}"
        else:
            text = f"{key}: {fault['msg']}"
        faults[key] = f"{faults[key]}, or: {fault['msg']}" if key in faults else text
    return list(faults.values())


def _expand_variables(text: str, environment: Mapping[str, str], *, where: str) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in environment:
            raise UsageError(f"${name} is not set", where=where, try_=f"export {name}=…, or change the profile")
        return environment[name]

    return re.sub(r"\$(?:(\w+)|\{(\w+)\})", value, text)
