"""One rank of an allocation that makes a data set: `python -m xpshpc.generate.allocation_rank FOLDER`.

The coordinator's rank leaves its answer in FOLDER, or its error. It is asked to stop by the end of its standard input.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from functools import partial
from pathlib import Path

from xpshpc.cluster.workers.allocation import open_allocation, take_role
from xpshpc.errors import ExitCode, XpshpcError
from xpshpc.generate.allocation import Call, error_file, read_call, result_file
from xpshpc.generate.generate import generate
from xpshpc.run_directory import open_run, write_atomically


def coordinate(call: Call, folder: Path) -> int:
    """Makes the data set with the other ranks, and leaves the answer."""
    threading.Thread(target=_stop_at_end_of_input, daemon=True).start()
    try:
        run, job_file = open_run(Path(call.run))
        result = generate(
            job_file,
            run,
            workers=call.workers,
            profile=call.profile,
            open_workers=partial(open_allocation, call.profile, folder),
        )
    except XpshpcError as error:
        write_atomically(error_file(folder), json.dumps(error.as_json()).encode())
        traceback.print_exc()
        return int(error.exit_code)
    except Exception:  # noqa: BLE001 - Dask's threads would keep a process alive that died of it
        traceback.print_exc()
        return int(ExitCode.BUG)
    write_atomically(result_file(folder), json.dumps(result.as_json()).encode())
    return int(ExitCode.DONE)


def _stop_at_end_of_input() -> None:
    """Whoever started us holds the other end of our input: it is closed on purpose, or by that one's death."""
    while os.read(0, 1024):
        continue
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    folder = Path(sys.argv[1])
    call = read_call(folder)
    take_role(call.profile, folder)
    code = coordinate(call, folder)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # Dask's threads may still wait for a scheduler that is gone


if __name__ == "__main__":
    main()
