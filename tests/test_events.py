"""The event log survives a torn line and tells listeners what it writes."""

from __future__ import annotations

from xpshpc.events import EventLog, StageStarted, read_events


def test_what_is_emitted_is_read_back_and_heard(tmp_path):
    heard = []
    with EventLog(tmp_path / "events.jsonl", heard.append, clock=lambda: 12.5) as log:
        log.emit(StageStarted("generate", 10, 0, "samples"))
    assert heard == [StageStarted("generate", 10, 0, "samples")]
    (event,) = read_events(tmp_path / "events.jsonl")
    assert event == {
        "time": 12.5,
        "event": "StageStarted",
        "stage": "generate",
        "total": 10,
        "done": 0,
        "unit": "samples",
    }


def test_a_torn_last_line_costs_only_itself(tmp_path):
    path = tmp_path / "events.jsonl"
    with EventLog(path) as log:
        log.emit(StageStarted("generate", 10, 0, "samples"))
    with path.open("a") as file:
        file.write('{"time": 1, "event": "Stage')
    with EventLog(path) as log:
        log.emit(StageStarted("train", 5, 0, "steps"))
    assert [event["stage"] for event in read_events(path)] == ["generate", "train"]
