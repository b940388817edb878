"""The page of a study: made maps beside real ones, their scores, the classifiers, and what each step took."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tomli_w

from xpshpc.domain import Panel
from xpshpc.report import embed
from xpshpc.report.facts import Headline
from xpshpc.report.quantities import NARROW_SPACE, write_count, write_duration, write_percent, write_size, write_value
from xpshpc.report.tables import Table
from xpshpc.report.templates import render_page
from xpshpc.run_directory import RunDirectory, write_atomically
from xpshpc.studies.ground import Ground
from xpshpc.studies.look import read_maps_of
from xpshpc.studies.outcome import SHEET, made_run
from xpshpc.studies.pictures import as_address, draw_sheet, encode_png, gray_of, write_sheet
from xpshpc.studies.plan import held_out_run
from xpshpc.studies.study_figures import draw_thresholds
from xpshpc.train.pictures import read_sheets

MOST_EPOCHS_SHOWN = 6

SET_NAMES = {
    "held_out": "real, held out (two halves)",
    "originals": "originals",
    "augmented": "augmented",
    "generated": "generated",
    "noise": "noise",
}


@dataclass(frozen=True)
class Photograph:
    """A sheet of images with its title, as a data address."""

    title: str
    source: str


def write_page(
    ground: Ground, outcome: Mapping[str, Any], *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Path:
    """Writes the sheet of made maps and report.html; returns the page's path."""
    write_sheet(ground.path / SHEET, read_maps_of([ground.run(made_run(ground))]))
    page = RunDirectory(ground.path).report
    write_atomically(page, render_page("xpshpc.studies", "study.html.j2", compose(ground, outcome, now())).encode())
    return page


def compose(ground: Ground, outcome: Mapping[str, Any], written: datetime) -> dict[str, Any]:
    """What the template sets, by name."""
    curve, chosen_by = outcome["thresholds"], outcome["threshold_chosen_by"]
    drawn = draw_thresholds(curve, outcome["threshold"], chosen_by["split_half_baseline"]) if curve else None
    return {
        "name": ground.path.name,
        "written": written,
        "program": version("xpshpc"),
        "outcome": outcome,
        "defect": ground.study.defect,
        "headlines": make_headlines(outcome),
        "sheets": list(_photograph_maps(ground)),
        "threshold_curve": embed.place_panels([Panel("", "", drawn)], "c")[0] if drawn else None,
        "threshold_table": tabulate_thresholds(curve) if curve else None,
        "scores": tabulate_scores(outcome),
        "classifiers": tabulate_classifiers(outcome["classifiers"]) if outcome["classifiers"] else None,
        "steps": tabulate_steps(outcome["steps"]),
        "epochs": _photograph_epochs(ground) if ground.study.mode == "auto" else [],
        "job_text": tomli_w.dumps(ground.job_file.resolved()),
    }


def make_headlines(outcome: Mapping[str, Any]) -> list[Headline]:
    """The few numbers that a reader wants first."""
    baseline = outcome["split_half_baseline"]
    least = "no baseline" if baseline is None else f"two halves of the real maps: {write_value(baseline)}"
    found = [
        Headline("Fréchet distance", write_value(outcome["fid_score"]), least),
        Headline("Kernel distance", write_value(outcome["kid_score"]), "0 where nothing differs"),
        Headline("Inception score", write_value(outcome["is_score"]), f"± {write_value(outcome['is_score_std'], 2)}"),
    ]
    if outcome["threshold"] is not None:
        found.append(Headline("Threshold", str(outcome["threshold"]), "gray level, of 255"))
    return found


def tabulate_scores(outcome: Mapping[str, Any]) -> Table:
    """Every set against the held-out real maps; the first row is what chance alone gives."""
    rows = []
    for name, scores in outcome["scores"].items():
        told = scores["inception_score"]
        inception = f"{write_value(told['mean'])} ± {write_value(told['std'], 2)}"
        if name == "held_out":
            rows.append(
                (SET_NAMES[name], _count(scores["n"]), write_value(scores["split_half_baseline"]), "–", "–", inception)
            )
            continue
        interval = scores["interval"]
        between = "–" if interval is None else " to ".join(write_value(bound) for bound in interval)
        rows.append(
            (
                SET_NAMES[name],
                _count(scores["n"]),
                write_value(scores["fid"]),
                between,
                write_value(scores["kid"]),
                inception,
            )
        )
    return Table(("Set", "Maps", "FID", "95 %", "KID", "Inception score"), tuple(rows))


def tabulate_thresholds(curve: Sequence[Mapping[str, Any]]) -> Table:
    """The distance at every threshold."""
    rows = tuple((str(point["threshold"]), write_value(point["fid"], 4)) for point in curve)
    return Table(("Threshold", "FID"), rows)


def tabulate_classifiers(classifiers: Sequence[Mapping[str, Any]]) -> Table:
    """How well each classifier reads the real test maps."""
    rows = tuple(
        (
            each["told"],
            _count(each["maps_of_defect"]),
            _count(each["maps_of_others"]),
            write_percent(each["accuracy"]),
            write_value(each["macro_f1"]),
            write_value(each["defect_f1"]),
            write_value(each["defect_precision"]),
            write_value(each["defect_recall"]),
        )
        for each in classifiers
    )
    columns = ("Trained on", "Of the class", "Of others", "Accuracy", "Macro-F1", "F1", "Precision", "Recall")
    return Table(columns, rows)


def tabulate_steps(steps: Sequence[Mapping[str, Any]]) -> Table:
    """What each step took."""
    rows = [
        (
            each["step"],
            write_duration(each["wall_s"]),
            write_duration(each["cpu_s"]),
            write_size(each["peak_bytes"]),
            write_size(each["disk_bytes"]),
        )
        for each in steps
    ]
    together = [sum(each[name] for each in steps) for name in ("wall_s", "cpu_s", "disk_bytes")]
    most = max((each["peak_bytes"] for each in steps), default=0)
    rows.append(
        (
            "together",
            write_duration(together[0]),
            write_duration(together[1]),
            write_size(most),
            write_size(together[2]),
        )
    )
    return Table(("Step", "Time", "Core time", "Most memory", "Disk"), tuple(rows))


def _photograph_maps(ground: Ground) -> list[Photograph]:
    """The sheets of real and made maps, in the order in which they are looked at side by side."""
    runs = {
        "Originals": "originals",
        "Real, held out": held_out_run(ground.held_out.judging[0]),
        "Augmented": "augmented",
        **({"Generated": "binarised"} if ground.study.mode == "auto" else {}),
    }
    return [
        Photograph(title, as_address(encode_png(draw_sheet(gray_of(read_maps_of([ground.run(run)]))))))
        for title, run in runs.items()
    ]


def _photograph_epochs(ground: Ground) -> list[Photograph]:
    """What the network made while it learned: some of its sheets, the first and the last among them."""
    sheets = read_sheets(RunDirectory(ground.run("augmented")), most=MOST_EPOCHS_SHOWN)
    return [Photograph(f"Epoch {sheet.epoch}", as_address(sheet.png)) for sheet in sheets]


def _count(number: float) -> str:
    return write_count(number, NARROW_SPACE)
