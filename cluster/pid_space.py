"""Where a process number means the same process: one boot of one machine, and in it one pid namespace."""

from __future__ import annotations

from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PID_NAMESPACE = Path("/proc/self/ns/pid")


def own_pid_space() -> str:
    """The name of this process's own; empty where the system does not tell.

    The host's name does not do: containers may share it, and a machine keeps it when it boots again.
    """
    try:
        return f"{BOOT_ID.read_text().strip()} {PID_NAMESPACE.readlink()}"
    except OSError:
        return ""
