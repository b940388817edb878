"""A cluster profile says where a job runs: how many workers and ranks, how they start, where temporary files go."""

from __future__ import annotations

import os
import re
import socket
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from xpshpc.cluster.machine import usable_cores
from xpshpc.cluster.profile_file import ProfileFile, find_profile, known_profiles
from xpshpc.cluster.site import Site
from xpshpc.config import Section, known_keys, nearest
from xpshpc.errors import UsageError

Launcher = Literal["gloo", "mpirun", "srun-gloo", "srun-pmix"]

DEFAULT_PROFILE = "local"
AUTOMATIC = "auto"
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
    launcher: Launcher = Field("gloo", description="how ranks are started, and how they speak")
    scratch: str | None = Field(None, description="folder for temporary files, may hold $VARIABLES; unset: $TMPDIR")
    slurm: Site | None = Field(None, description="what the SLURM site asks for; with kind = 'slurm' only")

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Profile:
        if (self.kind == "slurm") != (self.slurm is not None):
            raise ValueError("kind = 'slurm' and a [slurm] table belong together")
        if self.kind == "slurm" and not isinstance(self.workers, int):
            raise ValueError("workers: a SLURM site needs a number of worker processes, not 'cores'")
        if self.kind == "local" and self.launcher.startswith("srun"):
            raise ValueError(f"launcher = {self.launcher!r} needs kind = 'slurm'")
        return self

    @property
    def site(self) -> Site:
        """The SLURM site; only for kind = "slurm"."""
        assert self.slurm is not None
        return self.slurm

    def scratch_folder(self, environment: Mapping[str, str] = os.environ) -> Path | None:
        """Where temporary files go, with ~ and $VARIABLES replaced; None where the profile leaves it to $TMPDIR.

        Raises UsageError if a variable is not set.
        """
        if self.scratch is None:
            return None
        return Path(expand_variables(self.scratch, environment, where=f"profile {self.name}: scratch")).expanduser()


def read_profile(
    name_or_path: str | Path = DEFAULT_PROFILE, environment: Mapping[str, str] = os.environ, host: str | None = None
) -> Profile:
    """Reads a profile by name, or by the path of its file; "auto" is the one that recognises this place, else local.

    Raises UsageError for an unknown name, an unreadable file, unknown keys (each with the nearest known one) and bad
    values, all of them in one message, and where two profiles recognise the place.
    """
    name = str(name_or_path)
    if name == AUTOMATIC:
        name = recognise_profile(environment, host) or DEFAULT_PROFILE
    return _parse(find_profile(name, environment))


def recognise_profile(environment: Mapping[str, str] = os.environ, host: str | None = None) -> str | None:
    """The name of the profile that knows this place by its signs; `host` unset: this host's name.

    Raises UsageError where two do, and for a profile that cannot be read.
    """
    here = host or socket.gethostname()
    profiles = [_parse(find_profile(name, environment)) for name in known_profiles(environment)]
    knowing = [each.name for each in profiles if each.slurm and each.slurm.recognise.fits(environment, here)]
    if len(knowing) > 1:
        raise UsageError(
            f"the profiles {' and '.join(knowing)} both recognise this place",
            where=here,
            try_=" or ".join(f"--on {name}" for name in knowing),
        )
    return knowing[0] if knowing else None


def _parse(file: ProfileFile) -> Profile:
    try:
        profile = Profile.model_validate(tomllib.loads(file.text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"not valid TOML: {error}", where=file.where) from None
    except ValidationError as error:
        faults = "\n  ".join(["the profile has faults:", *_faults(error)])
        raise UsageError(faults, where=file.where, try_=f"correct {file.where} and call again") from None
    if file.stem and profile.name != file.stem:
        raise UsageError(
            f"name = {profile.name!r}, but the file is called {file.stem}.toml",
            where=file.where,
            try_=f'name = "{file.stem}"',
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


def _faults(error: ValidationError) -> list[str]:
    faults: dict[str, str] = {}
    for fault in error.errors():
        unknown = fault["type"] == "extra_forbidden"
        keys = [str(key) for key in fault["loc"]] if unknown else _keys(fault["loc"])
        dotted = ".".join(keys) or "profile"
        if unknown:
            text = f"{dotted}: unknown key{nearest(keys[-1], known_keys(Profile, keys[:-1]))}"
        else:
            text = f"{dotted}: {fault['msg'].removeprefix('Value error, ')}"
        faults[dotted] = f"{faults[dotted]}, or: {fault['msg']}" if dotted in faults else text
    return list(faults.values())


def _keys(location: tuple[int | str, ...]) -> list[str]:
    """The keys of the file in the location of a fault, which also names the branch of a union."""
    keys: list[str] = []
    for part in location:
        if isinstance(part, str) and part not in known_keys(Profile, keys):
            break
        keys.append(str(part))
    return keys


def expand_variables(text: str, environment: Mapping[str, str], *, where: str) -> str:
    """Replaces $NAME and ${NAME}. Raises UsageError, with `where` the text stands, if a variable is not set."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in environment:
            raise UsageError(f"${name} is not set", where=where, try_=f"export {name}=…, or change the profile")
        return environment[name]

    return re.sub(r"\$(?:(\w+)|\{(\w+)\})", value, text)
