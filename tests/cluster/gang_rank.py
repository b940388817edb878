"""A rank that meets its end in one of many ways: `gang_rank MEETING-PLACE BEHAVIOUR [RANK]`."""

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from xpshpc.cluster.ranks.rank import launched_rank
from xpshpc.errors import Drained, UsageError


def main(folder: Path, behaviour: str, who: int = 0) -> None:
    rank = launched_rank(os.environ)
    stopping = False

    def ask(*_: object) -> None:
        nonlocal stopping
        stopping = True

    if behaviour != "deaf":
        signal.signal(signal.SIGTERM, ask)
    else:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    tempfile.mkstemp(prefix="gang_rank")
    draft = folder / f".{rank}"
    draft.write_text(str(os.getpid()))
    draft.rename(folder / f"{rank}.pid")
    sys.stdout.write(f"rank {rank} is here\n")
    if behaviour == "finish":
        return
    if rank == who:
        if behaviour == "explain":
            raise UsageError("the axis does not fit", where="spectrum 7", try_="another axis")
        if behaviour == "crash":
            raise RuntimeError("a rank's own fault")
        if behaviour == "leave":
            sys.exit(9)
        if behaviour == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
    while not stopping:
        time.sleep(0.01)
    raise Drained("asked to stop")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
