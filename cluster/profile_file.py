"""Where profiles lie: those that come with the program, and the user's own, found by name or by path."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from xpshpc.config import nearest
from xpshpc.errors import UsageError

_SUFFIX = ".toml"


@dataclass(frozen=True)
class ProfileFile:
    """The text of a profile, and `where` it stands; `stem` is the name it was found by, empty for one read by path."""

    text: str
    where: str
    stem: str = ""


def built_in_profiles() -> tuple[str, ...]:
    """Names of the profiles that come with the program."""
    return tuple(sorted(_stems(_built_in())))


def known_profiles(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Names of all profiles that can be called by name: the user's and the built-in ones."""
    return tuple(sorted({stem for folder in _folders(environment) for stem in _stems(folder)}))


def find_profile(name_or_path: str, environment: Mapping[str, str] = os.environ) -> ProfileFile:
    """A profile's text, by name or by the path of its file (one with a slash or `.toml`).

    A name is looked for in the folder $XPSHPC_PROFILES, then in ~/.config/xpshpc/profiles, then among the built-in
    ones. Raises UsageError for an unknown name or a file that cannot be read.
    """
    if "/" in name_or_path or name_or_path.endswith(_SUFFIX):
        return ProfileFile(_text(Path(name_or_path), name_or_path), name_or_path)
    for folder in _folders(environment):
        if name_or_path in _stems(folder):
            file = folder / f"{name_or_path}{_SUFFIX}"
            where = str(file) if isinstance(file, Path) and folder != _built_in() else f"profile {name_or_path}"
            return ProfileFile(_text(file, where), where, name_or_path)
    known = known_profiles(environment)
    raise UsageError(
        f"unknown profile {name_or_path!r}{nearest(name_or_path, known)}",
        try_=f"--on local, or the path of a profile: --on ./mycluster{_SUFFIX}",
    )


def _folders(environment: Mapping[str, str]) -> list[Traversable]:
    own = environment.get("XPSHPC_PROFILES")
    home = environment.get("HOME")
    settings = environment.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else None)
    return [
        *([Path(own)] if own else []),
        *([Path(settings) / "xpshpc" / "profiles"] if settings else []),
        _built_in(),
    ]


def _built_in() -> Traversable:
    return files("xpshpc.cluster") / "profiles"


def _stems(folder: Traversable) -> list[str]:
    if not folder.is_dir():
        return []
    return [entry.name.removesuffix(_SUFFIX) for entry in folder.iterdir() if entry.name.endswith(_SUFFIX)]


def _text(file: Traversable, where: str) -> str:
    try:
        return file.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        names = ", ".join(built_in_profiles())
        raise UsageError(f"cannot read the profile: {why}", where=where, try_=f"built-in profiles: {names}") from None
