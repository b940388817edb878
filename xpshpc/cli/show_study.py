"""A study as people read it: its steps before, its scores after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from xpshpc.cli.status_page import align
from xpshpc.report.quantities import write_count, write_duration, write_percent, write_size, write_value

if TYPE_CHECKING:
    from rich.console import Console


def show_plan(console: Console, answer: Mapping[str, Any]) -> None:
    """The steps of a study, and what they took if they were done before."""
    console.print(f"study     {answer['defect']} in {answer['run']}", markup=False)
    rows = [
        (
            each["step"],
            ", ".join(each["work"]),
            write_count(each["samples"]),
            str(each["epochs"]) if each["epochs"] else "",
            "" if each["wall_s"] is None else f"{write_duration(each['wall_s'])}{'' if each['done'] else ', not done'}",
            each["purpose"],
        )
        for each in answer["steps"]
    ]
    _print_table(console, ("step", "work", "maps", "epochs", "took", "purpose"), rows)
    console.print("nothing was done (--dry-run)", markup=False)


def show_outcome(console: Console, answer: Mapping[str, Any]) -> None:
    """Steps, thresholds, scores and classifiers of a study, one table each."""
    _print_table(
        console,
        ("step", "time", "core time", "memory", "disk"),
        [
            (
                each["step"],
                write_duration(each["wall_s"]),
                write_duration(each["cpu_s"]),
                write_size(each["peak_bytes"]),
                write_size(each["disk_bytes"]),
            )
            for each in answer["steps"]
        ],
    )
    if answer["thresholds"]:
        rows = [
            (
                str(point["threshold"]),
                write_value(point["fid"], 4),
                "best" if point["threshold"] == answer["threshold"] else "",
            )
            for point in answer["thresholds"]
        ]
        _print_table(console, ("threshold", "FID", ""), rows)
        console.print(_tell_choice(answer), markup=False)
    _print_table(
        console,
        ("set", "maps", "FID", "KID", "inception score"),
        [(name, *_score_row(scores)) for name, scores in answer["scores"].items()],
    )
    if answer["classifiers"]:
        _print_table(
            console,
            ("trained on", f"{answer['defect']} maps", "accuracy", "macro-F1", f"F1 of {answer['defect']}"),
            [
                (
                    each["told"],
                    write_count(each["maps_of_defect"]),
                    write_percent(each["accuracy"]),
                    write_value(each["macro_f1"]),
                    write_value(each["defect_f1"]),
                )
                for each in answer["classifiers"]
            ],
        )
    for warning in answer["warnings"]:
        console.print(f"warning   {warning}", markup=False)
    console.print(f"\nimages    {answer['generated_image_path']}", markup=False)
    console.print(f"report    {answer['report']}   ({write_duration(answer['seconds'])} in all)", markup=False)


def describe_status(answer: Mapping[str, Any]) -> Iterator[str]:
    """The lines that tell how far a study is."""
    steps = len(answer["done"]) + len(answer["to_do"])
    yield f"study     {answer['run']}: {len(answer['done'])} of {steps} steps done"
    if answer["step"]:
        yield f"step      {answer['step']}; xpshpc status {answer['run']}/steps/… tells of its run"
    if answer["to_do"]:
        yield f"to do     {', '.join(answer['to_do'])}"
    yield f"time      {write_duration(answer['wall_s'])} so far"


def _tell_choice(answer: Mapping[str, Any]) -> str:
    chosen_by = answer["threshold_chosen_by"]
    splits = " and ".join(chosen_by["splits"])
    same = "; the same maps judge below, which flatters the scores a little" if chosen_by["also_judge"] else ""
    return f"threshold chosen by {chosen_by['n']} real maps of split {splits}{same}\n"


def _score_row(scores: Mapping[str, Any]) -> tuple[str, ...]:
    told = scores["inception_score"]
    inception = f"{write_value(told['mean'])} ± {write_value(told['std'], 2)}"
    if "fid" not in scores:
        return write_count(scores["n"]), f"{write_value(scores['split_half_baseline'])} (two halves)", "", inception
    return write_count(scores["n"]), write_value(scores["fid"]), write_value(scores["kid"]), inception


def _print_table(console: Console, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    for line in align(columns, rows):
        console.print(line, markup=False)
    console.print()
