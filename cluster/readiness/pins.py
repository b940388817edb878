"""The pinned versions of constraints.txt, and how the installed packages compare with them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.resources import files

FRAGILE = ("numpy", "protobuf", "ml-dtypes", "h5py")
"""Packages that other installations like to raise, and that break TensorFlow when they are."""

REPLACEMENTS = {"tensorflow-cpu": "tensorflow"}
"""What a GPU environment has in place of a pinned package, at the same version."""


@dataclass(frozen=True)
class Mismatch:
    """A package that is not installed as pinned; `installed` is None where it is missing."""

    package: str
    pinned: str
    installed: str | None

    def __str__(self) -> str:
        return f"{self.package} {self.installed or 'missing'} (pinned: {self.pinned})"


def canonical(name: str) -> str:
    """The form of a package name in which two spellings of it are equal."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parse_pins(text: str) -> dict[str, str]:
    """The `name==version` lines of a constraints file, by canonical name."""
    found = re.findall(r"^([A-Za-z0-9][\w.-]*)==(\S+)", text, re.MULTILINE)
    return {canonical(name): pinned for name, pinned in found}


def project_pins() -> dict[str, str]:
    """The versions this program was tested with."""
    return parse_pins((files("xpshpc.cluster") / "constraints.txt").read_text())


def direct_dependencies() -> list[str]:
    """Canonical names of the packages that xpshpc itself asks for, without those for its development."""
    lines = [line for line in requires("xpshpc") or [] if "extra ==" not in line]
    names = [re.match(r"[\w.-]+", line) for line in lines]
    return sorted(canonical(name[0]) for name in names if name)


def installed_version(package: str) -> str | None:
    """The installed version of a package, or of what may stand in its place; None where there is neither."""
    for name in (package, REPLACEMENTS.get(package, package)):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None


def mismatches(packages: Iterable[str], pins: Mapping[str, str]) -> list[Mismatch]:
    """Those of the pinned packages that are installed in another version, or not at all."""
    found = [Mismatch(package, pins[package], installed_version(package)) for package in packages if package in pins]
    return [each for each in found if each.installed != each.pinned]


def guarded_packages() -> list[str]:
    """The packages whose versions must be right: those asked for directly, and the fragile ones."""
    return sorted({*direct_dependencies(), *FRAGILE})


def main() -> int:
    """Writes what differs to standard output; 1 if anything does. The set-up asks before it trusts its stamp."""
    wrong = [str(each) for each in mismatches(guarded_packages(), project_pins())]
    if installed_version("horovod") is None:
        wrong.append("horovod missing")
    sys.stdout.writelines(f"{each}\n" for each in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
