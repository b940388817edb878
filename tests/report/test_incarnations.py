"""What the jobs of a run told is one row for each time a stage began."""

from __future__ import annotations

import json
from pathlib import Path

from xpshpc.report.incarnations import Incarnation, read_incarnations


def told(time: float, what: str, restart: int = 0, why: str = "") -> str:
    event = {"time": time, "stage": "train", "job_id": "7", "restart": restart, "what": what, "why": why, "host": "n1"}
    return json.dumps(event)


def test_each_start_is_a_row_and_a_torn_line_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    lines = [
        told(1, "started"), told(5, "requeued", why="exit code 75"), '{"time": 6, "sta', told(9, "started", 1),
        told(12, "finished", 1), told(20, "started", 2), "[]", "{}",
    ]  # fmt: skip
    file.write_text("\n".join(lines))
    assert read_incarnations(file) == (
        Incarnation("train", "7", 0, "n1", 1, 5, "requeued", "exit code 75"),
        Incarnation("train", "7", 1, "n1", 9, 12, "finished", ""),
        Incarnation("train", "7", 2, "n1", 20, None, "", ""),
    )


def test_a_run_without_jobs_has_none(tmp_path: Path) -> None:
    assert read_incarnations(tmp_path / "history.jsonl") == ()
