"""Keras without TensorFlow's greeting."""

from __future__ import annotations

import os
import sys
import tempfile
from types import ModuleType


def import_keras() -> ModuleType:
    """Imports Keras; what TensorFlow's C++ part says of itself meanwhile is shown only if the import fails.

    No log level silences that part, so it is kept away from file descriptor 2 while it speaks.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            import keras
        except BaseException:
            said.seek(0)
            os.write(stderr, said.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
    module: ModuleType = keras
    return module
