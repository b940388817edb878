"""The program's commands, and the one place where an error becomes a message and an exit code."""

from __future__ import annotations

import errno
from collections.abc import Sequence

import typer

from xpshpc.cli import fid, housekeeping, inspection, one_machine, pipeline, science, search, submission
from xpshpc.cli.answer import print_error
from xpshpc.errors import Drained, EnvironmentFault, ExitCode, UsageError, XpshpcError

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_INTERRUPTED = 130
"""What typer makes of Ctrl-C."""

_EXAMPLES = """
Start with:  xpshpc doctor,  then  xpshpc run jobs/demo.toml

Exit codes: 0 done, 1 bug, 2 usage or job file, 3 done with quarantined samples, 4 verification failed, 5 environment,
75 stopped in good order (the same command goes on).
"""

app = typer.Typer(
    name="xpshpc",
    help="XPS spectra and wafer maps by the million, networks trained on them over all ranks, measured ones read.",
    epilog=_EXAMPLES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for room in (pipeline, science, inspection, fid, housekeeping, one_machine, search, submission):
    room.add_commands(app)


@app.callback(invoke_without_command=True)
def _program(version: bool = typer.Option(False, "--version", help="Print the version and end.")) -> None:
    if version:
        import xpshpc

        typer.echo(f"xpshpc {xpshpc.__version__}")
        raise typer.Exit


def run_app(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code; every error is printed as one message, or one JSON value."""
    as_json = "--json" in arguments
    try:
        code = app(list(arguments), standalone_mode=False)
        if code == _INTERRUPTED:
            raise KeyboardInterrupt
    except typer.Abort:
        return ExitCode.USAGE
    except Exception as error:  # noqa: BLE001 - the rim of the program: whatever is left becomes a message
        fault = _as_fault(error)
        print_error(fault, as_json=as_json, cause=None if isinstance(error, XpshpcError) else error)
        return int(fault.exit_code)
    except KeyboardInterrupt:
        stopped = Drained("stopped by the keyboard", try_="type the same command to go on")
        print_error(stopped, as_json=as_json)
        return int(stopped.exit_code)
    return int(code or 0)


def _as_fault(error: Exception) -> XpshpcError:
    if isinstance(error, XpshpcError):
        return error
    told = getattr(error, "format_message", None)
    if told is not None:  # every fault that the parser of the command line finds
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "xpshpc"
        return UsageError(told().rstrip("."), where=path, try_=f"{path} --help")
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return EnvironmentFault(
            f"no space left: {error.strerror}", where=str(error.filename or ""), try_="free some space, call again"
        )
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return EnvironmentFault("the port is in use", where=str(error), try_="end the other program, call again")
    if isinstance(
        error, PermissionError | FileNotFoundError | IsADirectoryError | NotADirectoryError | FileExistsError
    ):
        return EnvironmentFault(error.strerror or str(error), where=str(error.filename or ""), try_="xpshpc doctor")
    return XpshpcError(
        f"{type(error).__name__}: {error}", where="a fault of the program itself", try_="report it with the lines above"
    )
