"""What the installed TensorFlow, Keras and Horovod say of themselves: `python -m xpshpc.cluster.readiness.stack`.

One line of JSON for each library that could be imported. They are asked in a process of their own, because a broken
one may take its process with it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    import keras
    import tensorflow

    _tell(
        library="tensorflow", version=tensorflow.__version__, keras=keras.__version__, backend=keras.backend.backend()
    )

    import horovod
    import horovod.tensorflow as hvd

    build = json.loads((Path(horovod.__file__).parent / "metadata.json").read_text())
    _tell(
        library="horovod",
        version=horovod.__version__,
        tensorflow=build.get("tensorflow", ""),
        gloo=bool(hvd.gloo_built()),
        mpi=bool(hvd.mpi_built()),
        nccl=bool(hvd.nccl_built()),
    )


def _tell(**facts: str | bool) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
