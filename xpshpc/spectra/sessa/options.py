"""The table [generate.sessa] of a job file: where SESSA is, and how patiently it is watched."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from xpshpc.config import Section, tell_faults
from xpshpc.errors import UsageError

WHERE = "generate.sessa"
_XVFB = "xvfb-run"


class SessaOptions(Section):
    """How each worker runs its SESSA."""

    executable: str = Field(min_length=1, description="the program; `xpshpc-sessa` stands in for it")
    version: str = Field("2.2", description="noted with the data")
    library_path: str = Field("", description="put before LD_LIBRARY_PATH of SESSA, of nothing else")
    display: Literal["xvfb", "none"] = Field("xvfb", description="a virtual display by xvfb-run, or none")
    restart_every: int = Field(1000, gt=0, description="spectra after which the process is replaced by a fresh one")
    silence_s: float = Field(30.0, gt=0, le=3600, description="seconds without output after which it is killed")
    timeout_s: float = Field(60.0, gt=0, le=86400, description="seconds that one attempt at a sample may take")
    attempts: int = Field(3, gt=0, le=100, description="attempts at a sample before it is left out")
    scratch: str = Field("", description="where each process has its own folder; unset: the system's temporary one")

    @model_validator(mode="after")
    def _in_order(self) -> SessaOptions:
        if self.timeout_s < self.silence_s:
            raise ValueError(f"timeout_s ({self.timeout_s:g}) must not be shorter than silence_s ({self.silence_s:g})")
        return self

    def command(self) -> list[str]:
        """The command that starts a console. Raises UsageError for a program that is not there or cannot run."""
        program = _find_program(self.executable)
        if program is None:
            raise UsageError(
                f"no program {self.executable!r} that can be executed",
                where=f"{WHERE}.executable",
                try_='its whole path; without SESSA: executable = "xpshpc-sessa", display = "none"',
            )
        own = [str(Path(program).absolute()), "-c"]
        if self.library_path:
            known = os.environ.get("LD_LIBRARY_PATH")
            paths = os.pathsep.join([str(Path(self.library_path).expanduser()), *([known] if known else [])])
            own = ["/usr/bin/env", f"LD_LIBRARY_PATH={paths}", *own]
        if self.display == "none":
            return own
        display = shutil.which(_XVFB)
        if display is None:
            raise UsageError(
                f"no program {_XVFB!r}, which gives SESSA its virtual display",
                where=f"{WHERE}.display",
                try_='apt-get install xvfb; or display = "none" for a program that needs no display',
            )
        return [display, "-a", *own]


def _find_program(name: str) -> str | None:
    """A program by its path, on PATH, or beside the Python that runs, as `xpshpc-sessa` is."""
    if os.sep in name:
        return shutil.which(Path(name).expanduser().absolute())
    return shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))


def read_options(options: Mapping[str, Any]) -> SessaOptions:
    """The options of a job's table; raises UsageError that names every fault."""
    try:
        return SessaOptions.model_validate(dict(options))
    except ValidationError as error:
        raise UsageError("\n  ".join(tell_faults(error, SessaOptions)), where=WHERE) from None
