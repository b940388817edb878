"""A batch job around any command: python -m tests.slurm.batch_stage RUN COMMAND…"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from xpshpc.cluster.site import Limits
from xpshpc.cluster.submission.batch_job import BatchJob

if __name__ == "__main__":
    limits = Limits(restarts=1, query_patience_s=60)
    sys.exit(BatchJob.of_this_process("train", Path(sys.argv[1]), limits, os.environ).attend(sys.argv[2:]))
