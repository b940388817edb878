"""One rank of a gang: `python -m xpshpc.cluster.ranks.rank PARENT LOGS MODULE ARGUMENT…`.

Runs MODULE as the main program, with its output in LOGS/rank-N.log. An XpshpcError is left as LOGS/rank-N.error.json
for the launching process, and becomes the exit code. A rank on another node is tied to its launcher by a leash.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import signal
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from xpshpc.cluster.ranks.leash import Leash
from xpshpc.cluster.ranks.slots import horovod_slot
from xpshpc.cluster.ranks.temporary import OwnFolder, remove_dead_folders
from xpshpc.cluster.tether import die_with_parent
from xpshpc.errors import ExitCode, XpshpcError

RANK_VARIABLES = ("XPSHPC_SEAT", "HOROVOD_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK")
"""Where launchers write a process's rank, in the order of trust."""


def launched_rank(environment: Mapping[str, str]) -> int:
    """This process's rank as its launcher wrote it; 0 where there is none."""
    return next((int(environment[name]) for name in RANK_VARIABLES if name in environment), 0)


def log_path(logs: Path, rank: int) -> Path:
    """Where a rank's standard output and error are."""
    return logs / f"rank-{rank}.log"


def error_path(logs: Path, rank: int) -> Path:
    """Where a rank leaves the error that ended it."""
    return logs / f"rank-{rank}.error.json"


def run_rank(logs: Path, module: str, arguments: list[str]) -> NoReturn:
    """Runs the module and leaves the process with its exit code."""
    leashed = "XPSHPC_LEASH" in os.environ
    if leashed and os.environ.get("HOROVOD_CONTROLLER") == "gloo":
        os.environ.update(horovod_slot(os.environ))
    rank = launched_rank(os.environ)
    _write_output_to(log_path(logs, rank))
    leash = Leash(rank) if leashed else None
    own = _use_own_temporary_folder()
    # mpirun passes SIGUSR1 on to its ranks, SIGTERM it keeps for itself.
    signal.signal(signal.SIGUSR1, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    sys.argv = [module, *arguments]
    code = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except XpshpcError as error:
        error_path(logs, rank).write_text(json.dumps(error.as_json()))
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        code = int(error.exit_code)
    except SystemExit as leave:
        code = leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    except BaseException:  # noqa: BLE001 - whatever it was, the gang must see this rank end
        traceback.print_exc()
        code = int(ExitCode.BUG)
    sys.stdout.flush()
    sys.stderr.flush()
    if leash is not None:
        leash.leave(code)
    if code:
        # Libraries that wait for the other ranks in their exit handlers would hide the failure from them. Of a leashed
        # rank that was drained srun is not told: it would end the ranks that still write what they have.
        own.remove()
        os._exit(0 if leash is not None and code == ExitCode.DRAINED else code)
    sys.exit(0)


def _write_output_to(path: Path) -> None:
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def _use_own_temporary_folder() -> OwnFolder:
    """Has Python's temporary files made in a folder of this rank, whose removal is the last thing that it does."""
    shared = Path(tempfile.gettempdir())
    remove_dead_folders(shared)
    own = OwnFolder.claim(shared)
    atexit.register(own.remove)
    tempfile.tempdir = str(own.path)
    return own


if __name__ == "__main__":
    parent, logs, module, *arguments = sys.argv[1:]
    die_with_parent(int(parent) or None)
    run_rank(Path(logs), module, arguments)
