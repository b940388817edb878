"""Tables of scores: what matters first stands open, nothing that is told is lost, shares are per cent."""

from __future__ import annotations

from typing import Any

from xpshpc.report.labels import write_label
from xpshpc.report.tables import scalar_metrics, tabulate_groups


def scores(f1: float | None, **more: Any) -> dict[str, Any]:
    return {"present": 3, "mae": 0.01, "f1": f1, **more}


def test_a_group_has_a_row_and_what_is_beyond_the_first_columns_is_folded() -> None:
    told = {"r2": 0.9, "rmse": 0.02, "bias": -0.001, "b": 1.0, "names": ["x"], "detection": {"0.5": {"f1": 0.5}}}
    (group,) = tabulate_groups({"elements": {"Cd": scores(0.25, **told), "Sc": scores(None, **told, extra=7)}})
    assert group.title == "Elements"
    assert group.table.columns == ("Element", "Present", "MAE", "F1", "R²", "RMSE", "Bias")
    assert group.table.rows[0] == ("Cd", "3", "0.0100", "25.0 %", "0.900", "0.0200", "−0.00100")
    assert group.table.rows[1][3] == "–"
    assert group.more is not None
    assert group.more.columns == ("Element", "B", "Extra", "F1, ≥ 0.5 at.%")
    assert group.more.rows == (("Cd", "1.00", "–", "50.0 %"), ("Sc", "1.00", "7", "50.0 %"))


def test_thresholds_are_rows_with_their_unit_wherever_the_metric_keeps_them() -> None:
    metrics = {
        "detection": {"0.5": {"f1": 0.5}, "1": {"f1": 0.75}},
        "within_20_percent": {"share": 0.8, "concentrations": 9, "by_threshold": {"1": {"share": 0.9}}},
        "calibration": {"n": {"a": {"b": 1}}},
        "frechet": {"a": {"b": 1}},
        "empty": {},
        "nothing": {"a": {}, "b": {}},
        "listed": [{"a": 1}],
    }
    tables = {group.title: group for group in tabulate_groups(metrics)}
    assert set(tables) == {"Detection", "Within 20 %"}
    assert tables["Detection"].table.rows == (("≥ 0.5 at.%", "50.0 %"), ("≥ 1 at.%", "75.0 %"))
    assert tables["Within 20 %"].table.rows == (("≥ 1 at.%", "90.0 %"),)
    assert all(group.more is None for group in tables.values())


def test_single_numbers_are_those_told_alone_and_shares_at_the_head_of_a_table() -> None:
    metrics = {
        "accuracy": 0.9, "samples": 12, "good": True, "none": None, "error_by_fraction": [1.0],
        "element_set": {"correct": 0.85, "by_threshold": {"1": {"correct": 0.85}}},
        "within_20_percent": {"share": 0.8, "concentrations": 9},
        "frechet": {"value": 3.0},
    }  # fmt: skip
    assert scalar_metrics(metrics) == {"accuracy": 0.9, "element_set_correct": 0.85, "within_20_percent_share": 0.8}
    assert write_label("within_20_percent_share") == "Within 20 % share"
