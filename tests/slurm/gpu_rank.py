"""A rank that writes down where it is and which GPU it would compute on."""

import json
import os
import socket
import sys
from pathlib import Path

from xpshpc.cluster.ranks.gpus import own_gpu
from xpshpc.cluster.ranks.rank import launched_rank

if __name__ == "__main__":
    shown = [gpu for gpu in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if gpu]
    index = own_gpu(int(os.environ["SLURM_LOCALID"]), len(shown))
    told = {"node": os.environ["SLURMD_NODENAME"], "gpu": None if index is None else shown[index]}
    told |= {name: os.environ[name] for name in os.environ if name.startswith("HOROVOD_")}
    told["host"] = socket.gethostname()
    (Path(sys.argv[1]) / f"{launched_rank(os.environ)}.json").write_text(json.dumps(told))
