"""The scores of an evaluation as people read them: what matters first, in a few lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from xpshpc.cli.show_measured import show_known_surveys
from xpshpc.report.labels import write_in_text, write_score
from xpshpc.report.quantities import write_count, write_percent, write_value
from xpshpc.report.tables import scalar_metrics

if TYPE_CHECKING:
    from rich.console import Console

_WORST = 5
_DETECTED = "1"
"""The threshold, in at.%, at which detection is told."""


def show_scores(console: Console, answer: Mapping[str, Any]) -> None:
    """Scores on held-out samples, or on those of another run, in the words of their science."""
    if "element_set" in answer:
        _show_spectra(console, answer)
    elif "confusion" in answer:
        _show_classes(console, answer)
    else:
        _show_numbers(console, answer)
    _show_frechet(console, answer.get("frechet"), "held-out" if "data" not in answer else "other")
    if "measured" in answer:
        show_known_surveys(console, answer["measured"])


def _title(answer: Mapping[str, Any]) -> str:
    return "other run" if "data" in answer else "held out "


def _show_numbers(console: Console, answer: Mapping[str, Any]) -> None:
    """What any science has: its single numbers."""
    scalars = scalar_metrics({name: told for name, told in answer.items() if name not in ("ranks", "seconds")})
    told = ", ".join(f"{write_in_text(name)} {write_score(name, value, 3)}" for name, value in scalars.items())
    console.print(f"{_title(answer)} {told or 'nothing told'} on {write_count(answer['samples'])} samples")


def _show_classes(console: Console, answer: Mapping[str, Any]) -> None:
    """All classes together, those that are told worst, and what is most often taken for what."""
    console.print(
        f"{_title(answer)} accuracy {write_percent(answer['accuracy'])}, macro F1 {write_percent(answer['macro_f1'])}, "
        f"balanced accuracy {write_percent(answer['balanced_accuracy'])}, log loss {write_value(answer['log_loss'])} "
        f"on {write_count(answer['samples'])} samples"
    )
    f1 = {name: scores["f1"] for name, scores in answer["classes"].items() if scores["f1"] is not None}
    worst = sorted(f1, key=lambda name: float(f1[name]))[:_WORST]
    console.print(f"worst     F1 {', '.join(f'{name} {write_percent(f1[name], 1)}' for name in worst)}")
    names = list(answer["classes"])
    wrong = [
        (count, f"{names[row]} → {names[column]} {write_count(count)}")
        for row, counts in enumerate(answer["confusion"])
        for column, count in enumerate(counts)
        if count and row != column
    ]
    if wrong:
        most = sorted(wrong, key=lambda pair: -pair[0])[:_WORST]
        console.print(f"confused  {', '.join(told for _, told in most)}")


def _show_spectra(console: Console, answer: Mapping[str, Any]) -> None:
    """All spectra together, the elements that are detected worst, and what is taken for what."""
    console.print(
        f"{_title(answer)} accuracy {write_percent(answer['accuracy'])}, RMSE {write_value(answer['rmse'])}, "
        f"R² {write_value(answer['r2'])} on {write_count(answer['samples'])} spectra"
    )
    console.print(
        f"overlayer ±{write_value(answer['thickness_mae_A'])} Å, bias {write_value(answer['thickness_bias_A'], 2)} Å, "
        f"RMSE {write_value(answer['thickness_rmse_A'])} Å, R² {write_value(answer['thickness_r2'])}"
    )
    detection = answer["detection"][_DETECTED]
    console.print(
        f"elements  F1 {write_percent(detection['f1'], 1)} (precision {write_percent(detection['precision'], 1)}, "
        f"recall {write_percent(detection['recall'], 1)}) at {_DETECTED} at.%, all of them right in "
        f"{write_percent(answer['element_set']['correct'], 1)} of spectra, "
        f"{write_percent(answer['within_20_percent']['share'], 1)} of fractions within 20 %"
    )
    f1 = {symbol: scores["f1"] for symbol, scores in answer["elements"].items() if scores["recall"] is not None}
    worst = sorted(f1, key=lambda symbol: float(f1[symbol]))[:_WORST]
    if worst:
        console.print(f"worst     F1 {', '.join(f'{symbol} {write_percent(f1[symbol], 1)}' for symbol in worst)}")
    if answer["confused"]:
        pairs = [f"{pair['missed']} → {pair['named']} {_moved(pair)}" for pair in answer["confused"][:_WORST]]
        console.print(f"confused  {', '.join(pairs)} (moved per spectrum with the first)")


def _show_frechet(console: Console, frechet: Mapping[str, Any] | None, whose: str) -> None:
    if frechet:
        sizes = f"{write_count(frechet['n_a'])} training against {write_count(frechet['n_b'])} {whose} samples"
        console.print(f"Fréchet   {write_value(frechet['value'])} for {sizes}")
        baseline, parts = frechet.get("same_size_baseline"), frechet.get("same_size_n")
        if baseline is not None and parts:
            one, other = (write_count(part) for part in parts)
            console.print(f"          {write_value(baseline)} for {one} against {other} training samples")


def _moved(pair: Mapping[str, Any]) -> str:
    return f"{write_value(pair['at_percent_per_sample'], 2)} at.%"
