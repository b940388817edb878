"""Answers as people read them: short tables, the figures that matter first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isinf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xpshpc.cli.show_measured import show_analysis
from xpshpc.cli.show_scores import show_scores
from xpshpc.report.labels import write_in_text, write_score
from xpshpc.report.quantities import write_count, write_duration, write_percent, write_rate, write_size
from xpshpc.report.rivals import FIRST_METRICS, are_rivals

if TYPE_CHECKING:
    from rich.console import Console

    from xpshpc.cluster.readiness.check import Check
    from xpshpc.spectra.simulated_spectrum import SimulatedSpectrum
    from xpshpc.store.clean import Remains

_STRONGEST = 12
_USUAL_METRICS = ("accuracy", "rmse", "log_loss")
_FIRST_METRICS = 3
_TABLE_WIDTH = 200
_LINE_COLUMNS = {
    "KE eV": ("kinetic_energy_eV", 1),
    "BE eV": ("binding_energy_eV", 1),
    "σ barn": ("cross_section_barn", 0),
    "β": ("asymmetry", 2),
    "λ Å": ("imfp_A", 1),
    "λtr Å": ("transport_mfp_A", 1),
}
_MORE_LINE_COLUMNS = {
    "βeff": ("effective_asymmetry", 2),
    "L Å": ("attenuation_length_A", 1),
    "ω": ("albedo", 3),
    "Q": ("escape_factor", 3),
}
"""Of a line: title of the column, the quantity, and its decimals."""


def show_run(console: Console, answer: Mapping[str, Any]) -> None:
    """The whole run in a few lines, the report's place last."""
    show_generated(console, answer)
    show_trained(console, answer["train"])
    if answer["evaluate"] is not None:
        show_scores(console, answer["evaluate"])
    else:
        console.print("held out  not scored: a network that makes samples is judged by them (xpshpc fid)")
    if answer["analyze"]:
        show_analysis(console, answer["analyze"])
    console.print(f"\nreport    {answer['report']}   ({write_duration(answer['wall_s'])} in all)")


def show_searched_run(console: Console, answer: Mapping[str, Any]) -> None:
    """The whole run of a job with a search, the report's place last."""
    from xpshpc.cli.search import show_search

    show_generated(console, answer)
    show_search(console, answer["search"])
    if answer["analyze"]:
        show_analysis(console, answer["analyze"])
    console.print(f"\nreport    {answer['report']}   ({write_duration(answer['wall_s'])} in all)")


def show_generated(console: Console, answer: Mapping[str, Any]) -> None:
    """Counts and rate of a data set."""
    left_out = f", {write_count(answer['quarantined'])} in quarantine" if answer["quarantined"] else ""
    rate = f" at {write_rate(answer['spectra_per_s'])} samples/s" if answer["made"] else ", all there before"
    console.print(
        f"data      {write_count(answer['committed'])} of {write_count(answer['planned'])} samples{left_out}{rate}"
    )


def show_trained(console: Console, answer: Mapping[str, Any]) -> None:
    """What training reached, and what it was warned of; or where it pauses."""
    validation = answer["validation"]
    paused = bool(answer.get("paused"))
    watched = ["loss"] if paused and not are_rivals(validation) else _watched(validation)
    told = ", ".join(f"{write_in_text(name)} {write_score(name, validation[name], 3)}" for name in watched)
    if paused:
        console.print(
            f"network   paused after {answer['epochs']} epochs on {answer['ranks']} ranks, validation {told}; "
            "without --until-epoch it goes on"
        )
        return
    early = ", stopped early," if answer.get("stopped_early") else ""
    console.print(
        f"network   {answer['epochs']} epochs{early} on {answer['ranks']} ranks, validation {told}   {answer['model']}"
    )
    for warning in answer.get("warnings", ()):
        console.print(f"warning   {warning}", markup=False)
    if "pictures" in answer:
        console.print(f"pictures  {answer['pictures']}", markup=False)


def _watched(validation: Mapping[str, float]) -> list[str]:
    """The metrics of a training that are told: the usual ones, or the first ones of a science that has others."""
    if are_rivals(validation):
        return [name for name in FIRST_METRICS if name in validation]
    usual = [name for name in _USUAL_METRICS if name in validation]
    return usual or list(validation)[:_FIRST_METRICS]


def show_report(console: Console, answer: Mapping[str, Any]) -> None:
    """Where the report is."""
    console.print(f"report    {answer['report']}")


def show_plan(console: Console, answer: Mapping[str, Any]) -> None:
    """What --dry-run found."""
    split = answer.get("split")
    console.print(f"run       {answer['run']}   data hash {answer['data_hash'][:16]}")
    console.print(
        f"data      {write_count(answer['planned'])} samples in {write_count(answer['shards'])} shards, "
        f"{write_size(answer['uncompressed_bytes'])} before compression, by {answer['workers']} workers"
    )
    if split is not None:
        console.print(
            f"shards    {split['training']} to train, {split['validation']} to validate, {split['held_out']} held out"
        )
    if split is not None and "search" not in answer:
        console.print(f"network   {answer['network']}, {answer['epochs']} epochs on {answer['ranks']} ranks")
    console.print("nothing was done (--dry-run)")


def show_simulated(
    console: Console, simulated: SimulatedSpectrum, *, every_line: bool, written: Sequence[Path]
) -> None:
    """The layers and lines of a simulated spectrum; `every_line`: all of them, with every quantity behind each."""
    from rich.table import Table
    from rich.text import Text

    for number, layer in enumerate(simulated.stack.layers, start=1):
        shares = ", ".join(f"{symbol} {100 * share:.1f}" for symbol, share in layer.fractions().items())
        thick = "" if isinf(layer.thickness_A) else f" | {layer.thickness_A:g} Å"
        console.print(f"layer {number}  {layer.formula}{thick}: {shares} at.%", markup=False)
    for remark in simulated.stack.remarks:
        console.print(f"note: {remark}", markup=False)
    if simulated.agreement is not None:
        console.print(
            f"SESSA's spectrum × {simulated.agreement.scale:.4g} (least squares): root mean square of the difference "
            f"{write_percent(simulated.agreement.rms_of_strongest)} of the strongest channel"
        )
    table = Table(box=None, header_style="bold")
    columns = {**_LINE_COLUMNS, **(_MORE_LINE_COLUMNS if every_line else {})}
    for title in ("line", "layer", *columns, "intensity"):
        table.add_column(title, justify="left" if title in ("line", "layer") else "right")
    strongest = simulated.lines[0].intensity if simulated.lines else 1.0
    for line in simulated.lines if every_line else simulated.lines[:_STRONGEST]:
        state = f"[{line.state}]" if line.state else ""
        table.add_row(
            Text(f"{line.element}{state} {line.orbital}"),
            Text(f"{line.layer} {line.material}"),
            *(f"{getattr(line, name):.{digits}f}" for name, digits in columns.values()),
            f"{line.intensity / strongest:.4f}",
        )
    console.width = max(console.width, _TABLE_WIDTH)
    console.print(table)
    hidden = len(simulated.lines) - _STRONGEST
    if hidden > 0 and not every_line:
        console.print(f"and {hidden} weaker lines (--lines shows them, and more of each)")
    for path in written:
        console.print(f"wrote {path}")


def show_remains(console: Console, remains: Remains) -> None:
    """What of a run will go, entry by entry, and what stays."""
    if not remains.going:
        console.print(f"nothing to do: no run in {remains.path}")
    for entry in remains.going:
        files = "1 file" if entry.files == 1 else f"{write_count(entry.files)} files"
        console.print(f"  {entry.name:<14} {files:>14}  {write_size(entry.bytes):>10}", markup=False)
    if remains.going:
        samples = f", {write_count(remains.samples)} samples" if remains.samples else ""
        console.print(
            f"{remains.path}: {write_count(remains.files)} files, {write_size(remains.bytes)}{samples}", markup=False
        )
    if remains.going and remains.kept:
        stays = ", ".join(entry.name for entry in remains.kept)
        console.print(f"stays, because no run puts it there (--all removes it too): {stays}", markup=False)


def show_verified(console: Console, answer: Mapping[str, Any], run: Path) -> None:
    """What `verify` found."""
    for bad in answer["bad"]:
        sample = f", sample {bad['sample']}" if bad["sample"] is not None else ""
        shard = f"shard {bad['shard']}" if bad["shard"] is not None else "store"
        console.print(f"{shard}{sample}: {bad['why']}")
    if answer["ok"]:
        console.print(
            f"every byte as recorded: {write_count(answer['samples'])} samples in "
            f"{write_count(answer['shards'])} shards"
        )
    elif answer["repaired"]:
        console.print(f"forgotten: shards {', '.join(map(str, answer['repaired']))}; xpshpc generate {run} makes them")
    else:
        console.print(f"try: xpshpc verify {run} --repair, then xpshpc generate {run}")


def show_check(console: Console, check: Check) -> None:
    """One line of the doctor, and the cure below it."""
    colour = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "dim"}.get(str(check.state), "white")
    console.print(f"[{colour}]{check.state!s:<8}[/{colour}] {check.name:<22} ", end="")
    console.print(check.found, markup=False)
    if check.cure:
        console.print(f"         {'':<22} try: {check.cure}", markup=False)
