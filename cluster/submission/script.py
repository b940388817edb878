"""The text of a batch script: a template of jobs/*.sbatch with a profile's options and lines filled in."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import xpshpc
from xpshpc.cluster.site import Site
from xpshpc.errors import EnvironmentFault, UsageError

SITE_LINES = "# Modules and environment of the site:"
ARGUMENTS = '"$@"'
_DIRECTIVE = re.compile(r"##?SBATCH (--[A-Za-z][A-Za-z-]*)")
_PLAIN = re.compile(r"[A-Za-z0-9_.,:@+/=*%^\[\]-]*")


def read_template(stage: str) -> str:
    """The template of a stage. Raises EnvironmentFault where the program was installed without its templates."""
    package = Path(xpshpc.__file__).parent
    for folder in (package / "jobs", package.parent / "jobs"):
        path = folder / f"{stage}.sbatch"
        if path.is_file():
            return path.read_text()
    raise EnvironmentFault(
        f"the template {stage}.sbatch is not installed", where=str(package), try_="install xpshpc from its repository"
    )


def render_script(template: str, options: Sequence[str], lines: Sequence[str], arguments: Sequence[str]) -> str:
    """A script for sbatch: `options` (--name=value) take the place of the template's, or are added to them.

    `lines` go where the template has room for the site's; `arguments`, quoted for the shell, are given to its command.
    Raises UsageError for what would break out of its line.
    """
    for text in (*options, *lines, *arguments):
        if "\n" in text or "\0" in text:
            raise UsageError("a line break where one word or line belongs", where=repr(text))
    named = {option.partition("=")[0]: f"#SBATCH {quote_option(option)}" for option in options}
    written: list[str] = []
    header_end = 0
    for line in template.splitlines():
        match = _DIRECTIVE.match(line)
        written.append(named.pop(match[1], line) if match else line)
        if match:
            header_end = len(written)
        if line == SITE_LINES:
            written += lines
    written[header_end:header_end] = named.values()
    return "\n".join(written).replace(ARGUMENTS, shlex.join(arguments)) + "\n"


def quote_option(option: str) -> str:
    """An option as SLURM reads it from a #SBATCH line."""
    name, equals, value = option.partition("=")
    if _PLAIN.fullmatch(value):
        return option
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}{equals}"{escaped}"'


def site_lines(site: Site, python: str, profile: str) -> list[str]:
    """The shell lines by which a job finds the site's modules, this Python and this profile."""
    return [
        *(f"module load {shlex.quote(module)} || exit 1" for module in site.modules),
        *site.environment,
        f"export XPSHPC_PYTHON={shlex.quote(site.python or python)}",
        f"export XPSHPC_ON={shlex.quote(profile)}",
    ]


def log_pattern(folder: Path, stage: str) -> str:
    """The file that SLURM writes a stage's output to; a percent sign in the folder's name is no pattern."""
    return f"{str(folder).replace('%', '%%')}/{stage}-%j.out"
