"""The head of a VAMAS file (ISO 14976:1998; Dench et al., Surf. Interface Anal. 13, 63, 1988), and its lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xpshpc.errors import UsageError

IDENTIFIER = "VAMAS Surface Chemical Analysis Standard Data Transfer Format 1988 May 4"


@dataclass(frozen=True)
class VamasHeader:
    """What stands before the blocks. `included` are the numbers (1–40) of the items that the later blocks have."""

    experiment_mode: str
    scan_mode: str
    comment: tuple[str, ...]
    experiment_variables: int
    included: frozenset[int]
    manually_entered: int
    future_experiment_entries: int
    future_block_entries: int
    blocks: int


def is_vamas(lines: Sequence[str]) -> bool:
    """Whether these lines begin as the format demands."""
    first = next((line for line in lines if line.strip()), "")
    return first.strip() == IDENTIFIER


@dataclass
class VamasLines:
    """Where the reader stands in the file; every fault names its line."""

    file: Path
    lines: Sequence[str]
    at: int = 0

    def word(self) -> str:
        if self.at >= len(self.lines):
            raise self._cut("the VAMAS file ends too early")
        self.at += 1
        return self.lines[self.at - 1].strip()

    def words(self, count: int) -> tuple[str, ...]:
        return tuple(self.word() for _ in range(count))

    def number(self, what: str) -> float:
        text = self.word()
        try:
            return float(text)
        except ValueError:
            raise self.fault(f"{text[:40]!r} where the VAMAS format has {what}") from None

    def count(self, what: str, *, negative: bool = False) -> int:
        value = self.number(what)
        if not value.is_integer() or (value < 0 and not negative):
            raise self.fault(f"{value:g} is not possible as {what}")
        if abs(value) > len(self.lines) - self.at:
            raise self._cut(f"the VAMAS file ends too early: {value:g} is {what}")
        return int(value)

    def _cut(self, what: str) -> UsageError:
        where = f"{self.file}, line {len(self.lines)}"
        return UsageError(what, where=where, try_="copy or export the file again; its end is missing")

    def fault(self, what: str) -> UsageError:
        return UsageError(
            what, where=f"{self.file}, line {self.at}", try_="export the file again as VAMAS (ISO 14976), or as CSV"
        )


def read_header(file: Path, lines: Sequence[str]) -> tuple[VamasHeader, int]:
    """The header, and the number of lines that it takes."""
    reading = VamasLines(file, lines)
    while reading.word() != IDENTIFIER:
        pass
    reading.words(4)
    comment = reading.words(reading.count("the number of comment lines"))
    mode, scan = reading.word().upper(), reading.word().upper()
    if mode in ("MAP", "MAPDP", "NORM", "SDP"):
        reading.word()
    if mode in ("MAP", "MAPDP"):
        reading.words(3)
    variables = reading.count("the number of experimental variables")
    reading.words(2 * variables)
    listed = reading.count("the number of items in the inclusion list", negative=True)
    numbers = frozenset(reading.count("the number of an item") for _ in range(abs(listed)))
    included = numbers if listed > 0 else frozenset(range(1, 41)) - numbers
    manual = reading.count("the number of manually entered items")
    reading.words(manual)
    future_experiment = reading.count("the number of future experiment entries")
    future_block = reading.count("the number of future block entries")
    reading.words(future_experiment)
    blocks = reading.count("the number of blocks")
    header = VamasHeader(mode, scan, comment, variables, included, manual, future_experiment, future_block, blocks)
    return header, reading.at
