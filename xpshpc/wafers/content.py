"""What files hold, told by a hash: a file that moves stays what it is."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

from xpshpc.errors import UsageError


def content_hash(path: Path, *, where: str) -> str:
    """SHA-256 (hex) of a file's bytes, or of a folder's files with their places in it.

    Raises UsageError, naming the key `where`, if it is missing or cannot be read.
    """
    try:
        if not path.is_dir():
            return _file_hash(path)
        listing = {str(file.relative_to(path)): _file_hash(file) for file in _visible_files(path)}
        return hashlib.sha256(json.dumps(listing, sort_keys=True).encode()).hexdigest()
    except FileNotFoundError:
        raise UsageError(f"no such file: {path}", where=where, try_=f"--set {where}=PATH, or correct the job") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", where=where) from None


def _visible_files(folder: Path) -> list[Path]:
    """The files below a folder that no part of its path hides."""
    return [
        file
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    ]


def _file_hash(path: Path) -> str:
    found = path.stat()
    return _hash_once(path.resolve(), found.st_mtime_ns, found.st_size)


@cache
def _hash_once(path: Path, _mtime_ns: int, _size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
