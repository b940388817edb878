"""A process that launches a gang, to be killed or signalled: `gang_launcher MEETING-PLACE BEHAVIOUR LAUNCHER`."""

import sys
from pathlib import Path

from xpshpc.cluster.ranks.gang import run_gang
from xpshpc.errors import XpshpcError

if __name__ == "__main__":
    folder, behaviour, launcher = sys.argv[1:]
    try:
        run_gang(
            "gang_rank",
            [folder, behaviour],
            ranks=2,
            launcher=launcher,
            log_directory=Path(folder) / "logs",
            environment={"PYTHONPATH": str(Path(__file__).parent)},
            drain_s=1.0,
        )
    except XpshpcError as error:
        sys.stdout.write(str(error))
        sys.exit(int(error.exit_code))
