"""A member of an elastic gang without any learning: `elastic_rank MEETING-PLACE`.

In each group it leaves GENERATION-SEAT.json, and works until the group breaks or pauses, MEETING-PLACE/finish is there,
or MEETING-PLACE/fail-SEAT is, which makes it raise an error; at MEETING-PLACE/die-SEAT it kills itself.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from xpshpc.cluster.ranks.elastic_member import Membership
from xpshpc.errors import Drained, UsageError


def main(folder: Path) -> None:
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    membership = Membership()
    steps = -1
    while (group := membership.next_group(steps, stopping.is_set)) is not None:
        broken = threading.Event()
        membership.watch(broken.set)
        told = {**vars(group), "pid": os.getpid(), "steps": steps}
        told |= {name: text for name, text in os.environ.items() if name.startswith("HOROVOD_")}
        draft = folder / f".{group.generation}-{membership.seat}"
        draft.write_text(json.dumps(told))
        draft.rename(folder / f"{group.generation}-{membership.seat}.json")
        while not (broken.is_set() or membership.pausing):
            if (folder / f"fail-{membership.seat}").exists():
                raise UsageError("the axis does not fit", where="spectrum 7", try_="another axis")
            if (folder / f"die-{membership.seat}").exists():
                (folder / f"die-{membership.seat}").unlink()
                os.kill(os.getpid(), signal.SIGKILL)
            if (folder / "finish").exists():
                return
            if stopping.is_set():
                (folder / f"saved-{membership.seat}").touch()
                raise Drained("asked to stop")
            time.sleep(0.01)
        steps = 10 * group.generation + membership.seat
    if stopping.is_set():
        raise Drained("asked to stop")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
