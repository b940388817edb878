"""A rank's own folder for temporary files, which goes with it however it ends.

TensorFlow writes a file for each function that it traces, and removes them when the process leaves in good order. A
rank that is killed cannot, and a night of trials that were stopped early would fill the node's /tmp. So each rank has a
folder that it holds locked as long as it lives, and each rank that starts removes the folders of the dead.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PREFIX = "xpshpc-rank-"


@dataclass(frozen=True)
class OwnFolder:
    """A folder of mode 0700, locked by this process as long as it lives."""

    path: Path
    lock: int

    @classmethod
    def claim(cls, parent: Path) -> OwnFolder:
        """Makes a folder in `parent` and locks it. Raises OSError where that cannot be."""
        while True:
            path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            # Another rank may take it for a dead one's, in the moment before it is locked.
            with suppress(FileNotFoundError):
                lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
                # Where a file system has no locks, nobody is able to tell the dead from the living, and all stay.
                with suppress(OSError):
                    fcntl.flock(lock, fcntl.LOCK_EX)
                if path.exists():
                    return cls(path, lock)
                os.close(lock)

    def remove(self) -> None:
        """Removes the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)


def remove_dead_folders(parent: Path) -> None:
    """Removes the folders in `parent` whose ranks have ended; those of living ranks and of other users stay."""
    for folder in parent.glob(f"{PREFIX}*"):
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue  # no folder, removed in the meantime, or another user's
        try:
            if os.fstat(lock).st_uid == os.geteuid():
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # its rank lives, or the file system has no locks
        finally:
            os.close(lock)
