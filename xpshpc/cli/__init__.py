"""The command line: joins rooms, prints answers, and turns every error into one message and an exit code."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Entry point of the program `xpshpc`."""
    from xpshpc.cli.app import run_app

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.exit(run_app(sys.argv[1:]))
