"""Commands of the machine, asked with a time limit and gone afterwards with all their children."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """How a command ended: `code` is None if it had to be killed, 127 if there is no such command."""

    code: int | None
    output: str
    errors: str

    @property
    def ok(self) -> bool:
        return self.code == 0

    def last_words(self, lines: int = 4) -> str:
        """The end of what the command said, errors before output."""
        said = [line.rstrip() for line in (self.errors.strip() or self.output.strip()).splitlines() if line.strip()]
        how = "no answer in time" if self.code is None else f"exit code {self.code}"
        return "\n".join([*said[-lines:], f"({how})"]) if said else how


def ask(command: Sequence[str], *, timeout_s: float, environment: Mapping[str, str] | None = None) -> Answer:
    """Runs a command in a process group of its own, without input, and kills the whole group at its end.

    `environment` is added to this process's own. What a child left behind in the group dies with it.
    """
    try:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    except OSError as error:
        return Answer(127, "", f"{command[0]}: {error.strerror}")
    code: int | None = None
    with process:
        try:
            output, errors = process.communicate(timeout=timeout_s)
            code = process.returncode
        except subprocess.TimeoutExpired:
            _kill_group(process.pid)
            output, errors = process.communicate()
        finally:
            _kill_group(process.pid)
    return Answer(code, output.decode(errors="replace"), errors.decode(errors="replace"))


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
