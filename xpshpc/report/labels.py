"""Names of metrics as people read them, made from their keys: `thickness_mae_A` is "Thickness MAE (Å)"."""

from __future__ import annotations

from xpshpc.report.quantities import write_percent, write_value

_UNITS = {"_at_percent": "at.%", "_percent": "%", "_eV": "eV", "_A": "Å", "_s": "s"}
_ABBREVIATIONS = {"mae": "MAE", "rmse": "RMSE", "r2": "R²", "f1": "F1", "fid": "FID", "n": "N", "percent": "%"}
SHARES = ("accuracy", "precision", "recall", "f1", "share", "correct")
"""Words of metrics that are shares of one and read best as per cent."""

_THRESHOLD_UNITS = {"detection": "at.%", "element_set": "at.%", "within_20_percent": "at.%"}
"""Of metrics that are told from several thresholds on: the unit of these."""


def write_label(key: str) -> str:
    """The name of a metric, with its unit in brackets."""
    name, unit = split_unit(key)
    return f"{name} ({unit})" if unit else name


def split_unit(key: str) -> tuple[str, str]:
    """The name of a metric and its unit, which is empty where the key tells none or gives it to a number of its own."""
    unit = next((suffix for suffix in _UNITS if key.endswith(suffix)), "")
    if key.removesuffix(unit)[-1:].isdigit():
        unit = ""
    words = key.removesuffix(unit).split("_")
    name = " ".join(_ABBREVIATIONS.get(word, word) for word in words)
    return name[:1].upper() + name[1:], _UNITS.get(unit, "")


def write_in_text(key: str) -> str:
    """The name of a metric inside a sentence: "accuracy", but "RMSE" and "D loss"."""
    label = write_label(key)
    return label if label[1:2].isupper() or label[1:2] == " " else label[:1].lower() + label[1:]


def write_singular(label: str) -> str:
    """What one of several is called: "Elements" are each an "Element", "Classes" each a "Class"."""
    return label.removesuffix("es") if label.endswith("sses") else label.removesuffix("s")


def write_score(key: str, value: float, digits: int = 4) -> str:
    """A metric's value with its unit, shares as per cent."""
    if is_share(key):
        return write_percent(value)
    return f"{write_value(value, digits)} {split_unit(key)[1]}".rstrip()


def is_share(key: str) -> bool:
    """Whether a metric is a share of one."""
    return any(word in SHARES for word in key.split("_"))


def write_threshold(key: str, threshold: str) -> str:
    """The name of a threshold from which on a metric is told: "≥ 0.5 at.%"; others are told as they are."""
    unit = _THRESHOLD_UNITS.get(key)
    return f"≥ {threshold} {unit}" if unit else threshold
