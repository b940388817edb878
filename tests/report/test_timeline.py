"""A timeline keeps every attempt and every second of work, and its figure stays small whatever it tells."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

from tests.report.story_of_a_run import tell_run
from xpshpc.report.timeline import MOST_MARKS, Timeline, find_throughput, gather_timeline, merge_bars
from xpshpc.report.timeline_figure import MOST_LANES, choose_lanes, describe_lanes, draw_timeline

SAMPLES = 1000


def gather(workers: int, shards: int, coordinators: int = 1, faults: int = 0) -> Timeline:
    timeline = gather_timeline(tell_run(workers, shards, coordinators=coordinators, faults=faults))
    assert timeline is not None
    return timeline


def test_nothing_done_gives_no_timeline() -> None:
    events = list(tell_run(2, 2))
    assert gather_timeline([]) is None
    assert gather_timeline(event for event in events if event["event"] == "StageStarted") is None


@pytest.mark.parametrize("coordinators", [1, 3])
def test_every_attempt_is_a_bar_on_its_workers_lane(coordinators: int) -> None:
    events = list(tell_run(5, 60, coordinators=coordinators, faults=9))
    timeline = gather_timeline(events)
    assert timeline is not None
    ended = [event for event in events if event["event"] in ("ShardCommitted", "ShardFailed")]
    assert len(timeline.end) == len(ended) == 69
    assert timeline.samples.sum() == 60 * SAMPLES
    assert len(timeline.lanes) == 5 and all("job 17_" in lane for lane in timeline.lanes)
    np.testing.assert_allclose(timeline.end - timeline.begin, [event["seconds"] for event in ended], atol=1e-5)
    assert timeline.busy_s.sum() == pytest.approx(sum(event["seconds"] for event in ended))


def test_losses_are_the_failed_attempts_by_cause() -> None:
    events = list(tell_run(4, 80, faults=30))
    timeline = gather_timeline(events)
    assert timeline is not None
    failed = [event for event in events if event["event"] == "ShardFailed"]
    assert {loss.cause: loss.attempts for loss in timeline.losses} == Counter(event["cause"] for event in failed)
    assert sum(loss.seconds for loss in timeline.losses) == pytest.approx(sum(event["seconds"] for event in failed))
    assert sum(loss.shards for loss in timeline.losses) == 30


def test_pauses_between_coordinators_are_cut_out() -> None:
    timeline = gather(4, 60, coordinators=3)
    assert len(timeline.sessions) == 3
    assert all(session.pause_s == pytest.approx(3601, abs=60) for session in timeline.sessions[1:])
    assert timeline.length_s < 3600
    assert [session.at for session in timeline.sessions] == sorted(session.at for session in timeline.sessions)


@pytest.mark.parametrize("step_s", [-600.0, 600.0])
def test_a_clock_that_is_stepped_leaves_a_timeline_that_can_be_drawn(step_s: float) -> None:
    events = list(tell_run(2, 20, coordinators=2))
    half = len(events) // 2
    stepped = [*events[:half], *({**event, "time": event["time"] + step_s} for event in events[half:])]
    timeline = gather_timeline(stepped)
    assert timeline is not None
    assert (timeline.end >= timeline.begin).all() and (timeline.begin >= 0).all()
    assert (timeline.end <= timeline.length_s + 1e-6).all()
    assert draw_timeline(timeline).startswith("<svg")


@pytest.mark.parametrize("bins", [7, 160])
def test_the_throughput_adds_up_to_the_samples(bins: int) -> None:
    timeline = gather(6, 90, faults=5)
    edges, rate = find_throughput(timeline, bins)
    assert (rate * np.diff(edges)).sum() == pytest.approx(90 * SAMPLES)


def test_merged_bars_cover_the_same_work() -> None:
    begin = np.array([0.0, 1.0, 5.0, 5.5, 9.0])
    end = np.array([1.0, 2.0, 6.0, 5.7, 9.0])
    assert merge_bars(begin, end, 0.1) == [(0.0, 2.0), (5.0, 6.0), (9.0, 9.1)]
    assert merge_bars(begin, end, 10.0) == [(0.0, 10.0)], "none is shorter than what the figure can show"


def test_marks_beyond_the_most_are_counted_and_not_kept() -> None:
    events = list(tell_run(2, 4))
    excluded = [{"time": events[-1]["time"], "event": "NodeExcluded", "node": "n", "why": ""}] * (MOST_MARKS + 7)
    timeline = gather_timeline([*events, *excluded])
    assert timeline is not None
    assert timeline.counts["node left out"] == MOST_MARKS + 7
    assert sum(mark.kind == "node left out" for mark in timeline.marks) == MOST_MARKS
    assert f"({MOST_MARKS + 7}×)" in draw_timeline(timeline)


def test_the_figure_stays_small_and_shows_the_busiest_workers() -> None:
    timeline = gather(150, 6000, coordinators=2, faults=60)
    shown = choose_lanes(timeline)
    assert len(shown) == MOST_LANES
    idle = set(range(len(timeline.lanes))) - set(shown)
    assert timeline.busy_s[list(idle)].max() <= timeline.busy_s[shown].min()
    assert "busiest 60 of 150" in describe_lanes(timeline)
    svg = draw_timeline(timeline)
    assert len(svg) < 250_000
    assert sum(timeline.lanes[lane] in svg for lane in shown) == MOST_LANES
    hosts = [int(found[1]) for lane in shown if (found := re.match(r"node(\d+):", timeline.lanes[lane]))]
    assert hosts == sorted(hosts), "node2 stands before node10"


def test_every_cause_and_mark_is_in_the_legend() -> None:
    timeline = gather(4, 60, coordinators=2, faults=25)
    svg = draw_timeline(timeline)
    for word in ("shard committed", "failed: crash", "failed: worker lost", "node left out (2×)", "disk full (2×)"):
        assert word in svg
    assert svg == draw_timeline(gather(4, 60, coordinators=2, faults=25))
