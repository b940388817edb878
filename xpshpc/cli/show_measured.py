"""Measured spectra as people read them: compositions with their intervals, and how they fare against known ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xpshpc.report.quantities import write_count, write_percent, write_value

if TYPE_CHECKING:
    from rich.console import Console

_TABLED_AT_PERCENT = 1.0


def show_analysis(console: Console, answer: Mapping[str, Any]) -> None:
    """Composition of measured spectra, and what the intervals are worth."""
    for spectrum in answer["spectra"]:
        rest = spectrum.get("rest_at_percent") or 0.0
        more = f", others {rest:.1f}" if rest >= 0.05 else ""
        console.print(f"\n{Path(spectrum['file']).name}  {spectrum['name']}", markup=False)
        console.print(f"  at.%       {', '.join(write_shares(spectrum))}{more}")
        console.print(f"  overlayer  {spectrum['overlayer_A']:.1f} Å")
        for remark in spectrum["remarks"]:
            console.print(f"  note       {remark}", markup=False)
        if spectrum.get("plot"):
            console.print(f"  figure     {spectrum['plot']}", markup=False)
    coverage = answer.get("coverage")
    if coverage:
        measured = coverage["measured"]
        found = (
            f"held for {write_percent(measured, 1)} of simulated held-out ones"
            if measured is not None
            else "xpshpc evaluate measures how often it does"
        )
        console.print(f"\n± and (from–to) shall hold {write_percent(coverage['stated'])} of true fractions; {found}")


def show_known_surveys(console: Console, answer: Mapping[str, Any]) -> None:
    """How a network fares with measured spectra of known composition."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    for title in ("measured", "known at.%", "found at.%", "accuracy", "missed", "wrong", "outside"):
        table.add_column(title, justify="right" if title == "accuracy" else "left")
    for spectrum in answer["spectra"]:
        known = (f"{element} {share:.1f}" for element, share in spectrum["known_at_percent"].items())
        table.add_row(
            Text(spectrum["name"]),
            ", ".join(known),
            ", ".join(write_shares(spectrum, least=_TABLED_AT_PERCENT)),
            write_percent(spectrum["accuracy"]),
            *(" ".join(spectrum[key]) for key in ("missed", "wrongly_named", "outside")),
        )
    console.print(table)
    coverage = answer["coverage"]
    console.print(
        f"measured  accuracy {write_percent(answer['accuracy'])}, RMSE {write_value(answer['rmse'])}, elements all "
        f"right in {write_percent(answer['element_set']['correct'], 1)} of {write_count(answer['samples'])} spectra"
    )
    if coverage:
        console.print(
            f"          {write_percent(coverage['measured'], 1)} of {write_count(coverage['n'])} intervals hold what "
            f"is known ({write_percent(coverage['stated'])} stated)"
        )


def write_shares(spectrum: Mapping[str, Any], *, least: float = 0.0) -> list[str]:
    """Fractions from `least` at.% on: "Cu 57.4 ± 3.1"; "C 1.0 (0.0–3.5)" where the interval ends at 0 or 100."""
    halves, intervals = spectrum.get("uncertainty_at_percent", {}), spectrum.get("interval_at_percent", {})
    return [
        f"{element} {share:.1f}{_write_interval(share, halves.get(element), intervals.get(element))}"
        for element, share in spectrum["composition_at_percent"].items()
        if share >= least
    ]


def _write_interval(share: float, half: float | None, ends: tuple[float, float] | None) -> str:
    if half is None or ends is None:
        return ""
    if share - half < 0 or share + half > 100:
        return f" ({ends[0]:.1f}–{ends[1]:.1f})"
    return f" ± {half:.1f}"
