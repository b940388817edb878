"""The text of a measured file, whatever wrote it; files that are no text are refused by what they are."""

from __future__ import annotations

import codecs
from pathlib import Path

from xpshpc.errors import UsageError

LARGEST_BYTES = 256 * 2**20

_SIGNATURES = {
    b"PK\x03\x04": "a spreadsheet or archive (.xlsx, .zip)",
    b"\xd0\xcf\x11\xe0": "an Avantage or old Office file (.vgd, .xls)",
    b"SOFH": "a PHI MultiPak file (.spe, .pro)",
    b"\x89HDF": "an HDF5 file (.nxs, .h5)",
    b"SQLite format 3": "a Prodigy database (.sle)",
    b"%PDF": "a PDF document",
}
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_lines(file: Path) -> list[str]:
    """The lines of a text file in UTF-8, UTF-16 with its mark, or Latin-1; line ends of any system.

    Raises UsageError for what cannot be read, is empty, too large, or not text.
    """
    try:
        size = file.stat().st_size
        if size > LARGEST_BYTES:
            raise UsageError(f"{size / 2**20:.0f} MiB are too many for a measured spectrum", where=str(file))
        data = file.read_bytes()
    except FileNotFoundError:
        raise UsageError("no such file", where=str(file), try_=f"ls {file.parent}") from None
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(file)) from None
    for signature, kind in _SIGNATURES.items():
        if data.startswith(signature):
            raise _not_text(file, f"is {kind}, not text")
    text = _decode(data)
    if text is None or any(character in text for character in "\0\x01\x02\x03\x04"):
        raise _not_text(file, "is binary, not text")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not any(line.strip() for line in lines):
        raise UsageError("the file is empty", where=str(file), try_="export the spectrum again")
    return lines


def _decode(data: bytes) -> str | None:
    if data.startswith(_WIDE_MARKS):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError:
            return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _not_text(file: Path, what: str) -> UsageError:
    return UsageError(
        what, where=str(file), try_="export the spectrum as VAMAS (.vms) or CSV from the vendor's program"
    )
