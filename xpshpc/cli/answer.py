"""What a command says: one JSON value on stdout with --json, else text for people."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Mapping
from typing import Any

from xpshpc.errors import XpshpcError


def print_json(value: Mapping[str, Any]) -> None:
    """Writes the one JSON value of a command; NaN and infinity, which JSON has not, become null."""
    sys.stdout.write(json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


def print_error(fault: XpshpcError, *, as_json: bool, cause: BaseException | None = None) -> None:
    """Says what is wrong, where, and what to type next; the trace of a fault of the program itself goes before it."""
    if cause is not None and type(fault) is XpshpcError:
        sys.stderr.write("".join(traceback.format_exception(cause)))
    if as_json:
        print_json(fault.as_json())
        return
    red, plain = ("\033[1;31m", "\033[0m") if sys.stderr.isatty() else ("", "")
    where = f"{fault.where}: " if fault.where else ""
    sys.stderr.write(f"{red}xpshpc:{plain} {where}{fault.what}\n")
    if fault.try_:
        sys.stderr.write(f"  try: {fault.try_}\n")


def console() -> Any:
    """A rich console on stdout."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())
