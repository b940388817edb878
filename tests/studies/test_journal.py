"""What a study remembers: costs that add up over calls, answers that are found once, the threshold that was best."""

from __future__ import annotations

from pathlib import Path

from xpshpc.events import EventLog
from xpshpc.studies.answers import answer_path, find_answer
from xpshpc.studies.journal import (
    JOURNAL,
    StepFinished,
    StepStarted,
    StepStopped,
    read_costs,
    step_under_way,
)
from xpshpc.studies.meter import Meter, disk_bytes
from xpshpc.studies.scores import choose_threshold


def test_costs_are_those_of_all_calls_that_worked(tmp_path):
    with EventLog(tmp_path / JOURNAL) as journal:
        journal.emit(StepStarted("network"))
        journal.emit(StepStopped("network", "stopped", 10.0, 20.0, 500))
        assert not read_costs(tmp_path)["network"].done
        journal.emit(StepStarted("network"))
        journal.emit(StepFinished("network", False, 5.0, 6.0, 400, 70))
        journal.emit(StepStarted("network"))
        journal.emit(StepFinished("network", True, 0.1, 0.1, 9000, 71))
    (cost,) = read_costs(tmp_path).values()
    assert (cost.wall_s, cost.cpu_s, cost.peak_bytes, cost.disk_bytes, cost.done) == (15.0, 26.0, 500, 70, True)


def test_the_step_under_way_is_the_one_that_has_not_ended(tmp_path):
    assert step_under_way(tmp_path) is None
    with EventLog(tmp_path / JOURNAL) as journal:
        journal.emit(StepStarted("images"))
        assert step_under_way(tmp_path) == "images"
        journal.emit(StepFinished("images", False, 1.0, 1.0, 1, 1))
        assert step_under_way(tmp_path) is None


def test_an_answer_is_found_once_for_a_question(tmp_path):
    asked: list[int] = []

    def find() -> dict[str, int]:
        asked.append(1)
        return {"fid": len(asked)}

    first = find_answer(tmp_path, "scores", {"a": 1}, find)
    again = find_answer(tmp_path, "scores", {"a": 1}, find)
    assert (first.found, first.reused, again.found, again.reused) == ({"fid": 1}, False, {"fid": 1}, True)
    assert find_answer(tmp_path, "scores", {"a": 2}, find).found == {"fid": 2}, "another question"
    answer_path(tmp_path, "scores").write_text("{")
    assert find_answer(tmp_path, "scores", {"a": 2}, find).found == {"fid": 3}, "a damaged answer is none"
    assert not find_answer(tmp_path, "scores", {"a": 2}, find, files=("sets/gone.npz",)).reused


def test_the_smallest_distance_decides_and_the_middle_of_equals():
    def curve(*distances: float) -> list[dict[str, float]]:
        return [{"threshold": 10 * place, "fid": value} for place, value in enumerate(distances, start=1)]

    assert choose_threshold(curve(3, 1, 2)) == 20
    assert choose_threshold(curve(2, 1, 1, 1, 5)) == 30
    assert choose_threshold(curve(4)) == 10


def test_a_meter_tells_what_it_saw_when_a_signal_comes_before_its_end():
    assert Meter().usage.wall_s >= 0


def test_a_meter_sees_what_its_process_used(tmp_path: Path):
    held = 0
    with Meter() as meter:
        block = bytearray(40_000_000)
        held = sum(block[::4096]) + len(block)
        for _ in range(3_000_000):
            held += 1
    usage = meter.usage
    assert held and usage.wall_s > 0 and usage.cpu_s > 0 and usage.peak_bytes > 10_000_000
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert disk_bytes(tmp_path) == 5 and disk_bytes(tmp_path / "none") == 0
